"""What somebody sees in the admin and when something is wrong: our words, in their language."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.utils import translation
from django.views import defaults
from django.views.csrf import csrf_failure

from accounts import directory, login
from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_missing_page_speaks_the_readers_language() -> None:
    answer = Client().get("/nothing", headers={"Accept-Language": "es"})
    page = answer.content.decode()
    assert answer.status_code == 404
    assert '<html lang="es">' in page
    assert "Aquí no hay nada" in page
    assert 'href="/"' in page


@pytest.mark.parametrize(
    ("view", "status", "said"),
    [
        (lambda request: defaults.server_error(request), 500, "Something broke on our side"),
        (lambda request: defaults.permission_denied(request, ValueError()), 403, "not for you"),
        (lambda request: defaults.bad_request(request, ValueError()), 400, "not understood"),
        (lambda request: csrf_failure(request), 403, "was not accepted"),
    ],
)
def test_every_mistake_has_a_page(view: object, status: int, said: str) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert callable(view)
    with translation.override("en"):
        answer = view(request)
    page = answer.content.decode()
    assert answer.status_code == status
    assert said in page
    assert "mailhost/front.css" in page
    assert "<script" not in page
    assert " style=" not in page


def test_a_broken_page_shows_nothing_of_its_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*arguments: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("protocols.web.front.missing_parts", fall)
    answer = Client(raise_request_exception=False).get("/", headers={"Accept-Language": "en"})
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "inside" not in answer.content.decode()


@pytest.fixture
def _fresh() -> None:
    login.forget()


@pytest.mark.usefixtures("_fresh")
class TestLogin:
    URL = "/admin/login/"

    def post(self, name: str, password: str) -> str:
        answer = Client().post(
            self.URL, {"username": name, "password": password}, headers={"Accept-Language": "en"}
        )
        return answer.content.decode()

    def test_who_opened_the_login_page_itself_gets_to_the_admin(self) -> None:
        User.objects.create_superuser("root", "secret")
        answer = Client().post(self.URL, {"username": "root", "password": "secret"})
        assert answer["Location"] == "/admin/"

    def test_a_wrong_password_is_said_so(self) -> None:
        User.objects.create_superuser("root", "secret")
        assert "That name or address and that password do not match." in self.post("root", "no")

    def test_who_failed_too_often_hears_how_long_to_wait(self) -> None:
        User.objects.create_superuser("root", "secret")
        for number in range(6):
            page = self.post("root", f"wrong {number}")
        assert "Too many tries failed. Wait" in page
        assert "Too many tries failed. Wait" in self.post("root", "secret")

    def test_who_may_not_use_the_admin_hears_so(self) -> None:
        User.objects.create_user("somebody", "secret")
        assert "this login may not use the admin" in self.post("somebody", "secret")


def test_a_state_keeps_its_colour_in_every_language() -> None:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root", "secret"), backend="accounts.web_login.AdminBackend"
    )
    directory.suspend_tenant(directory.create_tenant("Late"))
    for language, word in (("en", "suspended"), ("es", "en suspenso")):
        page = client.get("/admin/accounts/tenant/", headers={"Accept-Language": language})
        label = page.content.decode().partition(f"\n{word}\n")[0].rpartition("<span")[2]
        assert "bg-red-100" in label


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/accounts/mailbox/", "/admin/accounts/alias/add/"]
)
def test_the_first_thing_the_keyboard_meets_leads_past_the_rail(path: str) -> None:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root", "secret"), backend="accounts.web_login.AdminBackend"
    )
    page = client.get(path).content.decode()
    assert page.index('class="skip-link" href="#content"') < page.index("<nav")
    assert 'id="content"' in page
