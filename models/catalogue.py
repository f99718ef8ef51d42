"""The sets of real weights that Offhook knows: what they are, where they come from, their hashes.

Every file is pinned three times over: the repository's commit, the size, the SHA-256. A set lands
in one directory, in the layout that `models.load` reads.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: Where the repositories below are; any mirror with the same paths will do.
HUB_URL: Final = "https://huggingface.co"


@dataclass(frozen=True)
class RemoteFile:
    """One file of a set."""

    repository: str
    """`owner/name` on the hub."""
    revision: str
    """The repository's commit."""
    source: str
    """Path in the repository."""
    target: str
    """Path in the set's directory."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Part:
    """One model of a set."""

    role: str
    """`speech recognition`, `language model`, or `voice`."""
    name: str
    licence: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class CatalogueSet:
    """Models that are made to be used together."""

    name: str
    summary: str
    languages: tuple[str, ...]
    """ISO 639-1 codes that it has voices for."""
    parts: tuple[Part, ...]

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """All files of the set."""
        return tuple(file for part in self.parts for file in part.files)

    @property
    def size(self) -> int:
        """Bytes of the whole set."""
        return sum(file.size for file in self.files)


def _whisper(
    name: str, repository: str, revision: str, files: tuple[tuple[str, int, str], ...]
) -> Part:
    return Part(
        "speech recognition",
        name,
        "MIT",
        tuple(
            RemoteFile(repository, revision, path, f"whisper/{path}", size, sha256)
            for path, size, sha256 in files
        ),
    )


def _llama(name: str, file: RemoteFile) -> Part:
    return Part("language model", name, "Apache-2.0", (file,))


def _voice(
    language: str, folder: str, licence: str, onnx: tuple[int, str], settings: tuple[int, str]
) -> Part:
    locale, speaker, quality = folder.split("/")[1:]
    name = f"{locale}-{speaker}-{quality}"
    return Part(
        "voice",
        f"Piper {name}",
        licence,
        tuple(
            RemoteFile(
                "rhasspy/piper-voices",
                "c10ece1aade47bb51c153c893d14e5bf8e5b7117",
                f"{folder}/{name}{suffix}",
                f"voices/{language}{suffix}",
                *pinned,
            )
            for suffix, pinned in ((".onnx", onnx), (".onnx.json", settings))
        ),
    )


# The tokenizer is the same in OpenAI's multilingual models up to large-v2.
_TOKENIZER: Final = (
    ("tokenizer.json", 2203239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    ("vocabulary.txt", 459861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
)

_WHISPER_BASE: Final = _whisper(
    "Whisper base",
    "Systran/faster-whisper-base",
    "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    (
        (
            "model.bin",
            145217532,
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ),
        ("config.json", 2309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        *_TOKENIZER,
    ),
)
_WHISPER_SMALL: Final = _whisper(
    "Whisper small",
    "Systran/faster-whisper-small",
    "536b0662742c02347bc0e980a01041f333bce120",
    (
        (
            "model.bin",
            483546902,
            "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671",
        ),
        ("config.json", 2370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
        *_TOKENIZER,
    ),
)
_WHISPER_TURBO: Final = _whisper(
    "Whisper large-v3-turbo",
    "dropbox-dash/faster-whisper-large-v3-turbo",
    "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
    (
        (
            "model.bin",
            1617884929,
            "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da",
        ),
        ("config.json", 2263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"),
        (
            "preprocessor_config.json",
            340,
            "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711",
        ),
        (
            "tokenizer.json",
            2710337,
            "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd",
        ),
        (
            "vocabulary.json",
            1068114,
            "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1",
        ),
    ),
)
_QWEN_1_5B: Final = _llama(
    "Qwen2.5-1.5B-Instruct Q4_K_M",
    RemoteFile(
        repository="Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        revision="91cad51170dc346986eccefdc2dd33a9da36ead9",
        source="qwen2.5-1.5b-instruct-q4_k_m.gguf",
        target="llama.gguf",
        size=1117320736,
        sha256="6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
    ),
)
_QWEN_4B: Final = _llama(
    "Qwen3-4B Q4_K_M",
    RemoteFile(
        repository="Qwen/Qwen3-4B-GGUF",
        revision="bc640142c66e1fdd12af0bd68f40445458f3869b",
        source="Qwen3-4B-Q4_K_M.gguf",
        target="llama.gguf",
        size=2497280256,
        sha256="7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5",
    ),
)
_QWEN_8B: Final = _llama(
    "Qwen3-8B Q4_K_M",
    RemoteFile(
        repository="Qwen/Qwen3-8B-GGUF",
        revision="7c41481f57cb95916b40956ab2f0b139b296d974",
        source="Qwen3-8B-Q4_K_M.gguf",
        target="llama.gguf",
        size=5027783488,
        sha256="d98cdcbd03e17ce47681435b5150e34c1417f50b5c0019dd560e4882c5745785",
    ),
)
# Both voices were trained from scratch on public-domain recordings. Most other Piper voices are
# fine-tuned from `lessac`, whose recordings are licensed for research only.
_PUBLIC_DOMAIN: Final = "MIT (recordings: public domain)"
_VOICES: Final = (
    _voice(
        "en",
        "en/en_US/ljspeech/medium",
        _PUBLIC_DOMAIN,
        (63531379, "6f52a751e2349abe7a76735eb09dc1875298c77ea2342ffd2fef79ff81b87f22"),
        (4972, "141d612cc0a95ed7efc1ca936b845c2364967f2e9217c5dbfcf69fc4d6c65860"),
    ),
    _voice(
        "es",
        "es/es_ES/carlfm/x_low",
        _PUBLIC_DOMAIN,
        (28130791, "d69677323a907cd4963f42b29c20a98b5d6bfa7f3e64df339915e4650c00d125"),
        (4159, "d9bdfa9ff01eb2bc9e62e7d2593939d1e4c4d8eb7cf75f972731539d12399966"),
    ),
)
_LANGUAGES: Final = ("en", "es")

#: All sets that can be pulled, smallest first.
CATALOGUE: Final = MappingProxyType(
    {
        known.name: known
        for known in (
            CatalogueSet(
                "small",
                "for trying things out on a laptop",
                _LANGUAGES,
                (_WHISPER_BASE, _QWEN_1_5B, *_VOICES),
            ),
            CatalogueSet(
                "medium",
                "for a server of 8 cores or more: the usual choice",
                _LANGUAGES,
                (_WHISPER_SMALL, _QWEN_4B, *_VOICES),
            ),
            CatalogueSet(
                "large",
                "for many cores or a GPU",
                _LANGUAGES,
                (_WHISPER_TURBO, _QWEN_8B, *_VOICES),
            ),
        )
    }
)
