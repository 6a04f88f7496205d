"""Spec and status of a KMSGrant as users write and read them."""

from typing import Annotated, ClassVar

from pydantic import Field

from reconcilers.fields import Timestamp
from reconcilers.grant_fields import ONE_GRANTEE, GrantName, GrantTerms
from reconcilers.key_status import RecordedGrant
from reconcilers.target_fields import ONE_TARGET, DependentSpec, DependentStatus


class KMSGrantSpec(GrantTerms, DependentSpec):
    """Rights of somebody on a key."""

    name: Annotated[
        GrantName | None,
        Field(description="Of the grant in AWS. Unset: one that is made of the object's uid, and that nobody else uses."),
    ] = None

    cel: ClassVar = (ONE_TARGET, ONE_GRANTEE)


class MadeGrant(RecordedGrant):
    """A grant of this object, by the key that it is on; without an id it was only asked for, at that time."""

    key_arn: str
    asked_at: Timestamp | None = None


class KMSGrantStatus(DependentStatus):
    """The grant as it was seen, and all grants that the operator has to remember."""

    grant_id: Annotated[str | None, Field(description="Id of the grant that says what the spec says.")] = None
    grants: Annotated[
        tuple[MadeGrant, ...], Field(strict=False, description="Grants that this object made: it revokes no others.")
    ] = ()
