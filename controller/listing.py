"""A list of objects as they are now, for those who look once. Whoever wants to stay up to date uses an informer."""

from controller.kube import Kube
from controller.objects import KubeObject, decode_object, decode_page

PAGE_SIZE = 500
TIMEOUT_SECONDS = 30.0  # an informer's, for a page of this size


async def list_objects(kube: Kube, path: str) -> list[KubeObject]:
    """Every object of the collection at this path, page by page. Raises KubeError, and UndecodableError for an answer that is no list."""
    objects: list[KubeObject] = []
    query = {"limit": str(PAGE_SIZE)}
    while True:
        page = decode_page(await kube.get(path, query, timeout=TIMEOUT_SECONDS))
        objects += map(decode_object, page.items)
        if not page.token:
            return objects
        query = {**query, "continue": page.token}
