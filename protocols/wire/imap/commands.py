"""Everything an IMAP client can say, one frozen value a command; here all groups of them together.

`ServerConversation.next_event` gives these; every one is answered with `send` (a `Tagged` or, where
its docstring says so, a `Continuation`) except `AppendChunk`, which needs no answer. `tag` is the
client's, b"*" where it could not be read. Whether a command is allowed now is the session's to say.
Folder names are decoded from modified UTF-7, and INBOX in any case is "INBOX".
"""

from typing import TypeAlias

from .acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from .append_commands import (
    Append,
    AppendAborted,
    AppendChunk,
    AppendEnd,
    AppendMore,
    NewMessage,
    Replace,
    Step,
    Url,
)
from .contexts import CancelUpdate
from .folder_commands import (
    Create,
    Delete,
    List,
    Namespace,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)
from .message_commands import (
    Check,
    Close,
    Copy,
    Expunge,
    Fetch,
    Move,
    Search,
    Store,
    StoreMode,
    Unselect,
)
from .metadata import GetMetadata, SetMetadata
from .multisearch import MultiSearch
from .notify import Notify
from .quota import GetQuota, GetQuotaRoot, SetQuota
from .session_commands import (
    Authenticate,
    Capability,
    Compress,
    Done,
    Enable,
    Id,
    Idle,
    Invalid,
    Login,
    Logout,
    Noop,
    SaslResponse,
    StartTls,
    Unauthenticate,
)
from .sort import Sort
from .thread import Thread

__all__ = [
    "Append",
    "AppendAborted",
    "AppendChunk",
    "AppendEnd",
    "AppendMore",
    "Authenticate",
    "CancelUpdate",
    "Capability",
    "Check",
    "Close",
    "Command",
    "Compress",
    "Copy",
    "Create",
    "Delete",
    "DeleteAcl",
    "Done",
    "Enable",
    "Event",
    "Expunge",
    "Fetch",
    "GetAcl",
    "GetMetadata",
    "GetQuota",
    "GetQuotaRoot",
    "Id",
    "Idle",
    "Invalid",
    "List",
    "ListRights",
    "Login",
    "Logout",
    "Move",
    "MultiSearch",
    "MyRights",
    "Namespace",
    "NewMessage",
    "Noop",
    "Notify",
    "Rename",
    "Replace",
    "SaslResponse",
    "Search",
    "Select",
    "SetAcl",
    "SetMetadata",
    "SetQuota",
    "Sort",
    "StartTls",
    "Status",
    "Step",
    "Store",
    "StoreMode",
    "Subscribe",
    "Thread",
    "Unauthenticate",
    "Unselect",
    "Unsubscribe",
    "Url",
]

Command: TypeAlias = (
    Invalid
    | Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Login
    | Authenticate
    | Unauthenticate
    | Enable
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Namespace
    | Status
    | Append
    | Replace
    | Compress
    | Idle
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | MultiSearch
    | Sort
    | CancelUpdate
    | Thread
    | Fetch
    | Store
    | Copy
    | Move
    | GetQuota
    | GetQuotaRoot
    | SetQuota
    | GetMetadata
    | SetMetadata
    | SetAcl
    | DeleteAcl
    | GetAcl
    | ListRights
    | MyRights
    | Notify
)
Event: TypeAlias = (
    Command | SaslResponse | AppendChunk | AppendMore | AppendEnd | AppendAborted | Done
)
