"""Who may reach whom (protocol §7)."""

from rockdove.core.errors import denied, not_found
from rockdove.core.records import Tenant, User, UserState


def may_write(tenant: Tenant, sender: int, name: str, receiver: User | None) -> int:
    """The id of the user called `name`, if `sender` may write to him.

    Raises Refusal: NOT_FOUND when there is no such user, PERMISSION_DENIED when they are strangers and the tenant
    wants friends only.
    """
    if receiver is None or receiver.state == UserState.REMOVED:
        raise not_found(f"there is no user {name!r}: check the name")
    if not tenant.strangers and receiver.id != sender:
        raise denied(f"you and {name!r} are not friends: send a contact request first")
    return receiver.id
