"""One client of the server: its state, as data that the groups of commands act on."""

from collections.abc import Callable, Collection
from enum import IntFlag, StrEnum

from accounts.commit import DATABASE_AWAY
from accounts.directory.switchboard import Rule, hides
from accounts.login import Identity
from accounts.mailstore import index, rights
from accounts.mailstore.picture import Picture
from accounts.mailstore.rights import Right
from accounts.rows import FolderGone
from protocols.servers.authentication import Authentication
from protocols.servers.imap import recent, rendering, watching
from protocols.servers.imap.annotation_news import AnnotationNews, changed_lines
from protocols.servers.imap.appending import Appending, Target
from protocols.servers.imap.contexts import Contexts
from protocols.servers.imap.folder_view import PLAIN, FolderView, Wording
from protocols.servers.imap.known import NOTHING, Known
from protocols.servers.imap.news import EVERYTHING, NO_NEWS, SILENCE, Overflow, Wanted
from protocols.servers.imap.sections import Structures
from protocols.servers.imap.watch import Manner, Watch
from protocols.servers.session import Shell
from protocols.wire.imap import responses
from protocols.wire.imap.dialect import REV1, Dialect


class State(StrEnum):
    """RFC 3501 §3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


class Enabled(IntFlag):
    """What the client has switched on for the rest of the connection."""

    CONDSTORE = 1
    QRESYNC = 2
    METADATA = 4
    METADATA_SERVER = 8
    UTF8 = 16
    IMAP4REV2 = 32
    UIDONLY = 64


# One for all: few programs have anything masked.
NOTHING_MASKED: frozenset[str] = frozenset()


class Client:
    """What the server knows of one connection."""

    __slots__ = (
        "annotations",
        "append_target",
        "appending",
        "authentication",
        "contexts",
        "enabled",
        "failures",
        "folder_id",
        "identity",
        "is_leaving",
        "masked",
        "rules",
        "shell",
        "stop_watching",
        "structures",
        "took_recent",
        "view",
        "wanted",
        "watch",
    )

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.identity: Identity | None = None
        self.enabled = Enabled(0)
        self.folder_id = 0
        self.view: FolderView | None = None
        self.authentication: Authentication | None = None
        self.appending: Appending | None = None
        # Where the last APPEND went.
        self.append_target: Target | None = None
        self.stop_watching: Callable[[], None] | None = None  # Set while the client idles.
        # Once the client has enabled METADATA.
        self.annotations: AnnotationNews | None = None
        # While NOTIFY is in force.
        self.watch: Watch | None = None
        # What NOTIFY said of the selected folder, whichever that is.
        self.wanted = EVERYTHING
        self.structures = Structures()
        # The searches that are followed (RFC 5267).
        self.contexts = Contexts()
        self.failures = 0
        self.is_leaving = False
        # Capabilities that the switchboard hides, and the rules about this program; None while
        # it has not said what it is.
        self.masked = NOTHING_MASKED
        self.rules: tuple[Rule, ...] | None = None
        self.took_recent = False

    @property
    def state(self) -> State:
        """Where in the life of an IMAP connection this client is."""
        if self.is_leaving:
            return State.LOGOUT
        if self.identity is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    @property
    def mailbox_id(self) -> int:
        """The mailbox that is logged in."""
        assert self.identity is not None
        return self.identity.mailbox_id

    @property
    def selected(self) -> FolderView:
        """The selected folder's view; only in selected state."""
        assert self.view is not None
        return self.view

    def news(
        self,
        *,
        may_expunge: bool,
        known: Known = NOTHING,
        untold: Collection[int] = (),
        removed: Collection[int] = (),
        after: int | None = None,
    ) -> bytes:
        """Take the view to the folder's present state; the lines that tell the client of it.

        `known`, `untold` and `removed` as in `FolderView.refresh`. A state at the MODSEQ `after`
        is present enough.
        Raises FolderGone when the selected folder was deleted, or is no longer this client's to
        read.
        """
        view = self.view
        if view is None:
            return self.other_news()
        uidnext = view.uidnext_told
        said = self._look_at_rights(view)
        if after is None:
            picture = index.picture(self.folder_id)
        else:
            picture = index.picture_after(self.folder_id, after)
        lines = said + self.folder_news(view, picture, may_expunge, known, untold, removed)
        try:
            return lines + self.other_news(range(uidnext, view.uidnext_told))
        except DATABASE_AWAY:
            # What the view counts as told must be said; the rest is looked for again.
            if not lines:
                raise
            if self.watch is not None:
                self.watch.wake()
            return lines

    def other_news(self, arrivals: range = range(0)) -> bytes:
        """What is new elsewhere in the mailbox, and of new messages where NOTIFY asks for it."""
        lines = b""
        if self.watch is not None:
            lines += self._watched_news(self.watch, arrivals)
        if self.annotations is not None:
            wants = self.watch.wants if self.watch else self.annotations.wants
            changed = filter(wants, self.annotations.take())
            lines += changed_lines(self.mailbox_id, changed, is_utf8=self.tells_utf8)
        return lines

    def _watched_news(self, watch: Watch, arrivals: range) -> bytes:
        lines = b""
        try:
            if arrivals and watch.fetch_arrivals is not None:
                lines = watch.fetch_arrivals([(arrivals.start, arrivals.stop - 1)])
            return lines + watching.news(watch, self.mailbox_id, self.folder_id, self.manner)
        except Overflow:
            # RFC 5465 §5.8: as though the client had said NOTIFY NONE.
            self.stop_watch()
            text = "Too much has happened at once; look yourself."
            lines += responses.untagged("OK", text, b"NOTIFICATIONOVERFLOW")
            return lines + self.want(SILENCE)

    def want(self, wanted: Wanted) -> bytes:
        """Which news of the selected folder are told from now on; lines, if any."""
        self.wanted = wanted
        # Results of messages that the client does not know would tell it nothing (RFC 5267 §4.3.1).
        return b"" if wanted.messages else self.contexts.drop_all()

    def folder_news(
        self,
        view: FolderView,
        picture: Picture,
        may_expunge: bool,
        known: Known = NOTHING,
        untold: Collection[int] = (),
        removed: Collection[int] = (),
    ) -> bytes:
        """The part of `news` that is of the selected folder, from its present picture."""
        if picture.uidvalidity != view.told.uidvalidity:
            raise FolderGone(f"folder {self.folder_id} was made anew")
        if picture.uidnext != view.told.uidnext and not self.is_rev2:
            if not view.marks_seen:
                view.own(_newer(recent.look(picture), view.told.uidnext))
            else:
                arrivals = recent.take(picture)
                view.own(arrivals)
                self.took_recent |= bool(arrivals)
        differences = self.contexts.look(view, picture)
        removed_lines = b"".join(each.removed_line(view) for each in differences)
        uidnext = view.uidnext_told
        with_modseq = self.tells_modseq
        news = view.refresh(
            picture,
            may_expunge=may_expunge,
            known=known,
            untold=untold,
            with_modseq=with_modseq,
            wanted=self.wanted,
            removed=removed,
        )
        said = b""
        if news is not NO_NEWS:
            said = rendering.news_lines(
                news, view, with_modseq=with_modseq, by_uid=self.tells_vanished
            )
        # RFC 5267 §4.3.4: before the EXPUNGE, by whose numbers they go; RFC 5465 §5.1: else after
        # the FETCH of what left the results.
        said = removed_lines + said if news.expunged else said + removed_lines
        if view.has_ghosts and (news.changed or untold):
            said += self.delayed_line()
        elif view.owes_modseq and not view.has_ghosts:
            view.owes_modseq = False
            said += self.highest_modseq_line()
        arrivals = range(uidnext, view.uidnext_told)
        return said + self.contexts.added_lines(differences, view, arrivals)

    def _look_at_rights(self, view: FolderView) -> bytes:
        """What the client may do in another's folder, as it stands now; lines if that changed."""
        owner = view.told.mailbox_id
        if owner == self.mailbox_id:
            return b""
        before, view.rights = view.rights, rights.held(self.mailbox_id, owner, self.folder_id)
        if Right.READ not in view.rights:
            raise FolderGone(f"folder {self.folder_id} is no longer shared")
        # RFC 4314 §5.1.1: who checks each time says what has changed.
        return b"" if view.rights == before else rendering.flags_known(view)

    @property
    def hears_news(self) -> bool:
        """Whether `news` may have anything to say."""
        return not (self.view is None and self.annotations is None and self.watch is None)

    @property
    def hears_of_folder_alone(self) -> bool:
        """Whether `news` looks at nothing but the selected folder."""
        return self.annotations is None and self.watch is None

    @property
    def tells_modseq(self) -> bool:
        """Whether every change told says its mod-sequence (RFC 7162 §3.1)."""
        return Enabled.CONDSTORE in self.enabled

    @property
    def tells_vanished(self) -> bool:
        """Whether VANISHED is said instead of EXPUNGE (RFC 7162 §3.2.10, RFC 9586 §3.3)."""
        return bool(self.enabled & (Enabled.QRESYNC | Enabled.UIDONLY))

    @property
    def resyncs(self) -> bool:
        """Whether the client keeps its folders by QRESYNC (RFC 7162 §3.2)."""
        return Enabled.QRESYNC in self.enabled

    @property
    def is_uid_only(self) -> bool:
        """Whether the client has given message numbers up (RFC 9586)."""
        return Enabled.UIDONLY in self.enabled

    @property
    def tells_utf8(self) -> bool:
        """Whether names and header strings are told in UTF-8 (RFC 9051 §5.1, RFC 9755 §3)."""
        return bool(self.enabled & (Enabled.UTF8 | Enabled.IMAP4REV2))

    @property
    def wording(self) -> Wording:
        """In which words the client is told of messages."""
        return Wording(self.tells_utf8, self.is_uid_only) if self.enabled else PLAIN

    @property
    def is_rev2(self) -> bool:
        """Whether the client speaks IMAP4rev2 (RFC 9051)."""
        return Enabled.IMAP4REV2 in self.enabled

    @property
    def manner(self) -> Manner:
        """How NOTIFY tells of folders."""
        return Manner(self.tells_modseq, self.tells_utf8, self.tells_uses)

    @property
    def tells_uses(self) -> bool:
        """Whether folders are told with their special uses (RFC 6154)."""
        return not hides(self.masked, "SPECIAL-USE")

    @property
    def dialect(self) -> Dialect:
        """How the client's commands are to be read."""
        dialect = Dialect.UTF8 if self.tells_utf8 else REV1
        return dialect | Dialect.UTF8_ACCEPT if Enabled.UTF8 in self.enabled else dialect

    def modseq_code(self) -> bytes:
        """What ends a command that expunged, for a client of QRESYNC (RFC 7162 §3.2.7)."""
        if self.view is None or not self.resyncs:
            return b""
        return responses.highest_modseq(self.view.modseq_told)

    def highest_modseq_line(self) -> bytes:
        """What the client may take for the folder's mod-sequence."""
        code = responses.highest_modseq(self.selected.modseq_told)
        return responses.untagged("OK", "Highest mod-sequence.", code)

    def delayed_line(self) -> bytes:
        """The same beside mod-sequences higher than that of a VANISHED which must wait.

        RFC 7162 §3.2: else a client that is cut off now never hears of what went.
        """
        if not (self.resyncs and self.selected.has_ghosts):
            return b""
        self.selected.owes_modseq = True
        return self.highest_modseq_line()

    @property
    def leaves_at_once(self) -> bool:
        """Whether `leave_folder` needs neither the database nor anybody else."""
        return self.watch is None

    def leave_folder(self) -> None:
        """Back to authenticated state."""
        self.stop_idling()
        folder_id, view, took_recent = self.folder_id, self.view, self.took_recent
        self.view = None
        self.folder_id = 0
        self.structures = Structures()
        self.contexts = Contexts()
        self.took_recent = False
        if took_recent and view is not None:
            recent.write_down(view.told)
        if folder_id and self.watch is not None:
            self.watch.end_selected()
            # The folder is one of the others now.
            self.watch.wake()

    def stop_watch(self) -> None:
        """End what NOTIFY began."""
        watch, self.watch = self.watch, None
        if watch is None:
            return
        watch.end()
        if not self.enabled & (Enabled.METADATA | Enabled.METADATA_SERVER):
            self.annotations = None

    def stop_idling(self) -> None:
        """End the subscription of IDLE, if there is one."""
        stop, self.stop_watching = self.stop_watching, None
        if stop is not None:
            stop()

    def forget_login(self) -> None:
        """Back to where the connection began, but for TLS, the program, and wrong guesses."""
        self.drop_append()
        self.stop_watch()
        self.leave_folder()
        failures, rules = self.failures, self.rules
        Client.__init__(self, self.shell)
        self.failures, self.rules = failures, rules

    def drop_append(self) -> None:
        """Forget an APPEND that will not be finished."""
        appending, self.appending = self.appending, None
        if appending is not None:
            appending.spool.discard()


def _newer(uids: range, start: int) -> range:
    return range(max(uids.start, start), uids.stop)
