"""The mail store: the only writer of rows of mail: of folders, entries, what left them, changes."""

from accounts import commit
from accounts.mailstore import changes, index, name_stamps

commit.follow(index.follow)
commit.walk(name_stamps.walked)
commit.listen(changes.publish)
