"""The admin's login form: says why somebody does not get in, and how long to wait."""

from math import ceil

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm

from accounts import web_login


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    error_messages = {
        **AuthenticationForm.error_messages,
        # Said to who gave the right password only: it tells a guesser nothing.
        "invalid_login": _(
            "The password is right, but this login may not use the admin. Mail is read with a mail "
            "program; the front page says how."
        ),
    }

    def get_invalid_login_error(self) -> ValidationError:
        seconds = ceil(web_login.must_wait(self.data.get("username", ""), self.request))
        if not seconds:
            return ValidationError(_("That name or address and that password do not match."))
        text = ngettext(
            "Too many tries failed. Wait %d second, then try again.",
            "Too many tries failed. Wait %d seconds, then try again.",
            seconds,
        )
        return ValidationError(text % seconds, code="throttled")
