"""The names under which this operator is known: API group, finalizer, owner tags.

They are a contract with every object and every key that exists already: changing one orphans them.
"""

from typing import Final

GROUP: Final = "aws-infra-operator.runner.codes"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

# The older operator of the same group put the same finalizer on its objects, so its objects are released by ours.
KMSKEY_FINALIZER: Final = f"kmskey.{GROUP}/finalizer"
# While keys use a provider.
AWSPROVIDER_FINALIZER: Final = f"awsprovider.{GROUP}/finalizer"

KMSALIAS_FINALIZER: Final = f"kmsalias.{GROUP}/finalizer"
KMSGRANT_FINALIZER: Final = f"kmsgrant.{GROUP}/finalizer"

IS_DEFAULT_ANNOTATION: Final = f"{GROUP}/is-default"

PAUSED_ANNOTATION: Final = f"{GROUP}/paused"
RECONCILE_ANNOTATION: Final = f"{GROUP}/reconcile-requested-at"
RECREATE_ANNOTATION: Final = f"{GROUP}/recreate"
PLAN_ANNOTATION: Final = f"{GROUP}/plan"
KEY_ID_ANNOTATION: Final = f"{GROUP}/key-id"

# Every key that we create carries these three from the CreateKey call itself, so that a key whose answer got lost can be found.
TAG_PREFIX: Final = f"{GROUP}/"
CLUSTER_TAG: Final = f"{TAG_PREFIX}cluster-id"
OWNER_TAG: Final = f"{TAG_PREFIX}owner"
UID_TAG: Final = f"{TAG_PREFIX}uid"
OWNER_TAGS: Final = (CLUSTER_TAG, OWNER_TAG, UID_TAG)
