"""A grant as users write it: who may do what with a key, and under which conditions."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from reconcilers.fields import Model, Rule, cel, text

GrantOperation = Literal[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
]
Principal = Annotated[
    str,
    text(
        r"^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[A-Za-z0-9_+=,.@:/-]+$",
        "write the ARN of one principal, such as arn:aws:iam::123456789012:role/app; there is no grant to everybody",
        max_length=256,
    ),
]
GranteeRole = Annotated[
    str,
    text(
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@:/-]+$",
        "write the ARN of a role, such as arn:aws:iam::123456789012:role/app",
        max_length=256,
    ),
]
Context = dict[str, Annotated[str, Field(max_length=384)]]
_CONTEXT_KEYS = cel("self.all(k, size(k) >= 1 && size(k) <= 384)", "a key of an encryption context has 1 to 384 characters")


def _context(description: str) -> Any:
    return Field(None, description=description, max_length=8, json_schema_extra={"x-kubernetes-validations": [_CONTEXT_KEYS]})


class GrantConstraints(Model):
    """Under which conditions the grant may be used."""

    encryption_context_equals: Annotated[Context | None, _context("The encryption context of a request is exactly this.")] = None
    encryption_context_subset: Annotated[Context | None, _context("The encryption context of a request holds these pairs.")] = (
        None
    )
    source_arn: Annotated[
        Annotated[
            str,
            text(
                r"^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
                "write the ARN of the resource with its account",
                min_length=20,
                max_length=512,
            ),
        ]
        | None,
        Field(description="The AWS resource on whose behalf a request is made."),
    ] = None


GrantName = Annotated[
    str, text(r"^[a-zA-Z0-9:/_-]+$", "a grant's name takes letters, digits and :/_- only", min_length=1, max_length=256)
]
ONE_GRANTEE: Rule = cel(
    "has(self.granteeRoleArn) != has(self.granteePrincipal)",
    "a grant is for one principal: write granteeRoleArn or granteePrincipal",
)


class GrantTerms(Model):
    """Who may do what with the key, by whatever name."""

    grantee_role_arn: Annotated[GranteeRole | None, Field(description="The role that gets the rights.")] = None
    grantee_principal: Annotated[Principal | None, Field(description="The user, account or session that gets the rights.")] = None
    operations: Annotated[
        tuple[GrantOperation, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=17,
            description="What the grantee may do.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    retiring_principal: Annotated[Principal | None, Field(description="Who may retire the grant, beside the grantee.")] = None
    constraints: Annotated[GrantConstraints | None, Field(description="Under which conditions the grant may be used.")] = None

    cel: ClassVar[tuple[Rule, ...]] = (ONE_GRANTEE,)


class GrantSpec(GrantTerms):
    """Who may do what with the key."""

    name: GrantName
