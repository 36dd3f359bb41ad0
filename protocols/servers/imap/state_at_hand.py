"""What is known of the selected folder without asking the database."""

from accounts.mailstore import index
from accounts.mailstore.picture import Picture
from protocols.servers.imap.client import Client


def present(client: Client) -> Picture | None:
    """The selected folder as it is now, where `Client.news` needs nothing else to tell of it.

    That is a folder of the client's own, and no search is followed nor NOTIFY in force.
    """
    view = client.view
    if view is None or not client.hears_of_folder_alone or client.contexts.are_followed:
        return None
    if view.told.mailbox_id != client.mailbox_id:
        return None
    return index.current(client.folder_id)


def has_no_news(client: Client) -> bool:
    """Whether the client was told all of the folder that is selected, as far as is known."""
    picture = present(client)
    return picture is not None and client.selected.has_told_all_of(picture)


def hears_nothing(client: Client) -> bool:
    """Whether `Client.news` would say nothing, whether or not a folder is selected."""
    return client.hears_of_folder_alone if client.view is None else has_no_news(client)
