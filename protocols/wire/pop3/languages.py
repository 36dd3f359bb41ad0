"""The words of replies in the client's language (LANG, RFC 6856 §3).

What programs read (codes, numbers, lists) is the same in all of them: a text is looked up with its
numbers taken out, and what has no translation is said as it is.
"""

import re

DEFAULT = "en"
NAMES = {"en": "English", "es": "Español"}

_SPANISH = {
    # Of the grammar.
    "That is not base64": "Eso no es base64",
    "Those are not the arguments of this command": "Este comando lleva otros argumentos",
    "Unknown command": "Comando desconocido",
    "Messages are numbered from # on": "Los mensajes se numeran a partir de #",
    "A number was expected": "Se esperaba un número",
    "That line is too long": "Esa línea es demasiado larga",
    "Cancelled": "Cancelado",
    "That is said after the login": "Eso se dice después de entrar",
    "That is said before the login": "Eso se dice antes de entrar",
    "USER comes first": "Primero va USER",
    "Too many mistakes": "Demasiados errores",
    "STLS comes before UTF8": "STLS va antes de UTF8",
    "UTF-8 from here on": "UTF-8 a partir de aquí",
    "Languages": "Idiomas",
    "English from here on": "Español a partir de aquí",
    "That language is not spoken here": "Ese idioma no se habla aquí",
    # Of the session.
    "There is no such message": "No existe ese mensaje",
    "Octets of a message are missing here": "Aquí faltan octetos de un mensaje",
    "Another session has the mailbox": "Otra sesión tiene el buzón",
    "Another session has taken the mailbox over; nothing was removed": (
        "Otra sesión se ha hecho con el buzón; no se ha borrado nada"
    ),
    "That mechanism is not known here": "Ese mecanismo no se conoce aquí",
    "That is not what the mechanism wants": "El mecanismo espera otra cosa",
    "Start TLS first: passwords are not taken in clear text": (
        "Active antes TLS: no se aceptan contraseñas sin cifrar"
    ),
    "Wrong name or password": "Nombre o contraseña incorrectos",
    "Too many failed logins, wait a while": "Demasiados intentos fallidos, espere un rato",
    "This mailbox is suspended": "Este buzón está suspendido",
    "Logins do not work just now, try again later": (
        "Ahora mismo no se puede entrar, inténtelo más tarde"
    ),
    "One mailbox does not open another": "Un buzón no abre otro",
    "Something went wrong here, try again later": "Algo ha fallado aquí, inténtelo más tarde",
    "Now the password": "Ahora la contraseña",
    "APOP needs passwords stored in clear text; we keep none": (
        "APOP exige guardar contraseñas sin cifrar; aquí no se guardan"
    ),
    "TLS is on": "TLS ya está activo",
    "Begin TLS": "Comience TLS",
    "Goodbye": "Adiós",
    "This is what works here": "Esto es lo que funciona aquí",
    "# messages": "# mensajes",
    "# octets": "# octetos",
    "Top of the message": "Comienzo del mensaje",
    "It goes at QUIT": "Se borra con QUIT",
    "# messages removed, goodbye": "# mensajes borrados, adiós",
}
_TEXTS = {"es": _SPANISH}

_NUMBER = re.compile(r"\d+")


def find_language(language_range: str) -> str | None:
    """The language that a range such as `es-MX` means here (RFC 4647 §3.4); `*` is the default."""
    if language_range == "*":
        return DEFAULT
    subtags = language_range.lower().split("-")
    while subtags:
        if (tag := "-".join(subtags)) in NAMES:
            return tag
        # A single letter or digit introduces what follows it and goes with it.
        del subtags[-2 if len(subtags) > 1 and len(subtags[-2]) == 1 else -1 :]
    return None


def in_language(text: str, language: str) -> str:
    """A text of ours in a language, with its numbers as they are."""
    texts = _TEXTS.get(language)
    found = texts and texts.get(_NUMBER.sub("#", text))
    if not found:
        return text
    numbers = iter(_NUMBER.findall(text))
    return re.sub("#", lambda _: next(numbers), found)


def listing() -> bytes:
    """One line a language: its tag and its own name for itself."""
    return "".join(f"{tag} {name}\r\n" for tag, name in NAMES.items()).encode()
