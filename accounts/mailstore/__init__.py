"""The mail store: the only writer of Folder, Message, Entry, Vanished and Change rows."""

from accounts import commit
from accounts.mailstore import changes

commit.listen(changes.publish)
