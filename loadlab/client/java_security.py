"""How Java's clients are told to connect, in librdkafka's terms: JAAS, key stores, trust stores.

Java keeps user and password in one line of JAAS and keys in stores; librdkafka has properties for the first
and reads PEM files and PKCS#12 for the second. No message here holds a value: most of them are secret.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JAAS: Final = "sasl.jaas.config"
_MECHANISM: Final = ("sasl.mechanism", "sasl.mechanisms")
_KEY_STORE, _TRUST_STORE = "ssl.keystore", "ssl.truststore"
_IDENTIFICATION: Final = "ssl.endpoint.identification.algorithm"

_LOGIN: Final = re.compile(
    r"\s*(?P<module>[\w.$]+)\s+(?:required|requisite|sufficient|optional)(?P<options>(?:\s.*)?)\s*;\s*",
    re.DOTALL,
)
_OPTION: Final = re.compile(r"""\s+(\w+)\s*=\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s;"']+)""", re.DOTALL)
_QUOTED: Final = re.compile(r"\\(.)", re.DOTALL)
_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "PlainLoginModule": ("PLAIN",),
    "ScramLoginModule": ("SCRAM-SHA-256", "SCRAM-SHA-512"),
}
_OTHER_MODULES: Final[Mapping[str, str]] = {
    "Krb5LoginModule": "use sasl.kerberos.principal and sasl.kerberos.keytab, librdkafka's own names",
    "OAuthBearerLoginModule": (
        "use sasl.oauthbearer.method=oidc with sasl.oauthbearer.client.id, .client.secret and "
        ".token.endpoint.url, librdkafka's own names"
    ),
}

_FROM_JKS: Final[Mapping[str, str]] = {
    _KEY_STORE: (
        "keytool -importkeystore -srckeystore STORE -destkeystore client.p12 -deststoretype PKCS12, then "
        "ssl.keystore.type=PKCS12 and ssl.keystore.location=client.p12"
    ),
    _TRUST_STORE: (
        "keytool -list -rfc -keystore STORE > ca.pem, then ssl.truststore.type=PEM and "
        "ssl.truststore.location=ca.pem"
    ),
}
_PEM_TEXTS: Final[Mapping[str, str]] = {
    f"{_KEY_STORE}.certificate.chain": "ssl.certificate.pem",
    f"{_KEY_STORE}.key": "ssl.key.pem",
    f"{_TRUST_STORE}.certificates": "ssl.ca.pem",
}
GIVEN_BY: Final[Mapping[str, str]] = {
    "sasl.username": JAAS,
    "sasl.password": JAAS,
    "ssl.certificate.location": f"{_KEY_STORE}.location",
    "ssl.key.location": f"{_KEY_STORE}.location",
    "ssl.ca.location": f"{_TRUST_STORE}.location",
    **{target: name for name, target in _PEM_TEXTS.items()},
}
"""librdkafka's properties that are made of Java's, and of which."""

_PEM_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----")
_PEM_WIDTH: Final = 64
_PKCS12: Final = (".p12", ".pfx")


class UnusableSecurityError(ValueError):
    """A property of how to connect that librdkafka can't be given.

    Args:
        name: which.
        reason: why, in one sentence without a full stop.
        fix: what to use instead.
    """

    def __init__(self, name: str, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.name, self.reason, self.fix = name, reason, fix


@dataclass(frozen=True)
class Credentials:
    """User and password of a JAAS line."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Credentials({self.username!r})"


def security(given: Mapping[str, str]) -> dict[str, str]:
    """Java's or librdkafka's properties, those of security by librdkafka's names; the others as they are.

    Raises:
        UnusableSecurityError: the first that librdkafka can't be given.
    """
    rest = dict(given)
    made = dict(_sasl(rest)) | dict(_stores(rest))
    if "security.protocol" in rest:
        rest["security.protocol"] = rest["security.protocol"].lower()
    if _IDENTIFICATION in rest:
        rest[_IDENTIFICATION] = rest[_IDENTIFICATION].lower() or "none"  # Java's empty text turns it off
    return {**rest, **made}


def _sasl(rest: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Takes the JAAS line out, and gives what it says."""
    jaas = rest.pop(JAAS, None)
    if jaas is None:
        return
    mechanism = next((rest[name] for name in _MECHANISM if name in rest), None)
    if mechanism is None:
        raise UnusableSecurityError(
            "sasl.mechanism",
            "is missing beside sasl.jaas.config",
            "sasl.mechanism=PLAIN, or as the broker has it",
        )
    credentials = parse_jaas(jaas, mechanism)
    yield "sasl.username", credentials.username
    yield "sasl.password", credentials.password


def parse_jaas(text: str, mechanism: str) -> Credentials:
    """User and password of a JAAS line such as ``…PlainLoginModule required username="u" password="p";``.

    Raises:
        UnusableSecurityError: no such line, a login module without a user and password, or one that the
            mechanism doesn't go with.
    """
    found = _LOGIN.fullmatch(text)
    options = dict(_options(found["options"])) if found else {}
    module = found["module"].rpartition(".")[2] if found else ""
    if module in _OTHER_MODULES:
        raise UnusableSecurityError(JAAS, f"{module} is Java code", _OTHER_MODULES[module])
    if module not in _MODULES or not {"username", "password"} <= options.keys():
        raise UnusableSecurityError(
            JAAS,
            "is no line of one PlainLoginModule or ScramLoginModule with username and password",
            "sasl.username and sasl.password, librdkafka's own names",
        )
    if mechanism not in _MODULES[module]:
        raise UnusableSecurityError(
            JAAS, f"{module} does not go with sasl.mechanism={mechanism}", f"{' or '.join(_MODULES[module])}"
        )
    if options.get("tokenauth", "").lower() == "true":
        raise UnusableSecurityError(JAAS, "librdkafka knows no delegation tokens", "a user with a password")
    return Credentials(options["username"], options["password"])


def _options(text: str) -> Iterator[tuple[str, str]]:
    """The options of a login module; nothing where the text holds something else too."""
    if re.fullmatch(rf"(?:{_OPTION.pattern})*\s*", text, re.DOTALL) is None:
        return
    for name, value in _OPTION.findall(text):
        quoted = value[:1] in {'"', "'"}
        yield name, _QUOTED.sub(r"\1", value[1:-1]) if quoted else value


def _stores(rest: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Takes the stores out, and gives the files and texts that librdkafka has for them."""
    for name, target in _PEM_TEXTS.items():
        if name in rest:
            yield target, _as_pem(rest.pop(name))
    yield from _key_store(rest)
    yield from _trust_store(rest)


def _as_pem(text: str) -> str:
    """The blocks of a PEM text with their line breaks, which a properties file may have lost."""
    lines: list[str] = []
    for kind, body in _PEM_BLOCK.findall(text):
        lines += [f"-----BEGIN {kind}-----", *textwrap.wrap("".join(body.split()), _PEM_WIDTH)]
        lines += [f"-----END {kind}-----", ""]
    return "\n".join(lines) or text


def _key_store(rest: dict[str, str]) -> Iterator[tuple[str, str]]:
    kind, location = _store(rest, _KEY_STORE)
    if location is None:
        return
    if kind == "PEM":
        yield "ssl.certificate.location", location
        yield "ssl.key.location", location
    elif kind == "PKCS12":
        yield f"{_KEY_STORE}.location", location
    else:
        raise _java_store(_KEY_STORE)


def _trust_store(rest: dict[str, str]) -> Iterator[tuple[str, str]]:
    kind, location = _store(rest, _TRUST_STORE)
    password = rest.pop(f"{_TRUST_STORE}.password", None)
    if location is None:
        return
    if kind != "PEM":
        raise _java_store(_TRUST_STORE)
    if password is not None:
        raise UnusableSecurityError(f"{_TRUST_STORE}.password", "a PEM file has none", "leave it out")
    yield "ssl.ca.location", location


def _store(rest: dict[str, str], store: str) -> tuple[str, str | None]:
    """Takes kind and location of a store out; without a kind, the file's name tells PKCS#12 from JKS."""
    location = rest.pop(f"{store}.location", None)
    guessed = "PKCS12" if (location or "").lower().endswith(_PKCS12) else "JKS"
    return rest.pop(f"{store}.type", guessed).upper(), location


def _java_store(store: str) -> UnusableSecurityError:
    what = "key store (JKS)" if store == _KEY_STORE else "trust store (JKS or PKCS#12)"
    return UnusableSecurityError(f"{store}.location", f"librdkafka reads no Java {what}", _FROM_JKS[store])
