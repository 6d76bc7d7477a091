"""Campaign: mutated configs. `soak check` either takes one or refuses it in one line."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.torture import calls, rules
from tests.torture.results import Case

CAMPAIGN = "configs"
SHIPPED = Path(__file__).parents[2] / "configs"

VALUES = (
    "0", "-1", "1", "1e308", "-1e308", "inf", "nan", "-inf", "9223372036854775807", "9223372036854775808",
    "1" + "0" * 400, "true", "false", '""', '"x"', '"0 s"', '"-1 s"', '"1 h 30"', '"1e9 h"', '"1e-300 s"',
    '"99999999999999999999 d"', '"1 MiB"', '"1 MiB/h"', '"0 B"', "[]", "[1]", '[""]', "[[]]", "{}", "{a=1}",
    "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", '"\\u0000"', '"../../x"', '"/etc/x"', '"%s{0}"', '"cuda:0"',
    '"cuda:999999999999"', '"GPU-x"', '"cpu"', '"/dev/null"', '"' + "a" * 5000 + '"', '"\\U0001F4A9"', '"٣ s"',
    '"１ s"', "[2,3,4096]", "[4097]", "[2.5]", "[[8,8],[8]]", "[[8,8,8]]", "[[1e9,8]]", '"nan s"', '"inf"', "1_000",
    "0x10", '"1 s 1 s"', '"1.5.5 s"', '" s"', "{a={b={c=1}}}", '[["a"]]', '"[/bold][red]"', '"\\u202e\\u001b[2J"',
    '"a=b"', '"a\\nb"', "9e18", "9000000000000000000", "[" * 300 + "]" * 300, '["a","a"]', "{A=1}", '{A="\\u0000"}',
)  # fmt: skip
LINES = (
    "[run]", "[[run]]", "[trial]", "[[trial]]", "[stream.x]", "[judge]", "x=1", "[[trial.options]]", "[run.env]",
    "\x00", "[schedule]", "[[schedule]]", 'name = "a"', "workload = 'recurrent'", "repeats = 3", "duration = '1 s'",
    "memory_limit='1 MiB'", "env={PATH=''}", "env={'A=B'='1'}", "threads=0", "tracemalloc=-1", "expect='pass'",
    "expect_layer='x'", "options={x=1}", "python='/bin/true'", "python='/'", "device='cuda:0'", "steps=0",
    "stream={fps=0}", "stream=1", "repeats = 9000000000000000000", "threads = 99999999999999999999",
    "memory_limit = '1 B'", "\ufeff", "steps = 1e400", "cron = '* * * * *'", "at = 1979-05-27", "back_to_back = true",
)  # fmt: skip
KEYS = ("", '""', "a.b.c", "__class__", '"\\u0000"', "'[bold]'", "'%s'", '"\\ud7ff"', "ｎame", "'" + "k" * 3000 + "'")
SIGNS = "[]{}=\"'#\n.,\\ \t\x00aé0\r\u2028"

Mutation = Callable[[str, random.Random], str]


def _assigned(lines: list[str]) -> list[int]:
    return [i for i, line in enumerate(lines) if "=" in line and not line.lstrip().startswith("#")]


def _on_lines(change: Callable[[list[str], int, random.Random], None]) -> Mutation:
    """A mutation of one line that assigns a value."""

    def mutate(text: str, rnd: random.Random) -> str:
        lines = text.split("\n")
        if found := _assigned(lines):
            change(lines, rnd.choice(found), rnd)
        return "\n".join(lines)

    return mutate


def _value(lines: list[str], i: int, rnd: random.Random) -> None:
    lines[i] = f"{lines[i].split('=', 1)[0]}= {rnd.choice(VALUES)}"


def _key(lines: list[str], i: int, rnd: random.Random) -> None:
    key, value = lines[i].split("=", 1)
    key = key.strip()
    lines[i] = f"{rnd.choice((*KEYS, key + 'x', f'{key}.{key}', key.upper()))} ={value}"


def _doubled(lines: list[str], i: int, rnd: random.Random) -> None:
    lines.insert(rnd.randrange(len(lines)), lines[i])


def _in_a_list(lines: list[str], i: int, rnd: random.Random) -> None:
    key, value = lines[i].split("=", 1)
    lines[i] = f"{key}= [{value.split('#')[0].strip()}]"


def _deleted(text: str, rnd: random.Random) -> str:
    lines = text.split("\n")
    del lines[rnd.randrange(len(lines))]
    return "\n".join(lines)


def _inserted(text: str, rnd: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(rnd.randrange(len(lines) + 1), rnd.choice(LINES))
    return "\n".join(lines)


def _swapped(text: str, rnd: random.Random) -> str:
    lines = text.split("\n")
    i, j = rnd.randrange(len(lines)), rnd.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def _signs(text: str, rnd: random.Random) -> str:
    signs = list(text)
    for _ in range(rnd.choice((1, 2, 5)) if signs else 0):
        signs[rnd.randrange(len(signs))] = rnd.choice(SIGNS)
    return "".join(signs)


def _tables(text: str, rnd: random.Random) -> str:
    return text.replace("[[trial]]", rnd.choice(("[trial]", "trial = 1", "[[trial.x]]", "[[ trial ]]")))


def _cut(text: str, rnd: random.Random) -> str:
    return text[: rnd.randrange(len(text) + 1)]


MUTATIONS: dict[str, Mutation] = {
    "value": _on_lines(_value),
    "key": _on_lines(_key),
    "doubled line": _on_lines(_doubled),
    "list": _on_lines(_in_a_list),
    "deleted line": _deleted,
    "inserted line": _inserted,
    "swapped lines": _swapped,
    "signs": _signs,
    "tables": _tables,
    "cut": _cut,
}
_NAMES = [*MUTATIONS, *["value"] * 4, "key"]


def mutate(text: str, rnd: random.Random) -> tuple[bytes, str]:
    """The bytes of a mutated config, and the names of what was done."""
    done = []
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        done.append(rnd.choice(_NAMES))
        text = MUTATIONS[done[-1]](text, rnd)
    data = bytearray(text.encode(errors="surrogatepass"))
    if data and rnd.random() < 0.05:
        done.append("byte")
        data[rnd.randrange(len(data))] = rnd.randrange(256)
    return bytes(data), ", ".join(done)


def one(seed: int, n: int, folder: Path) -> Case:
    """Mutate one of the shipped configs, and have it checked."""
    rnd = random.Random(f"{CAMPAIGN}:{seed}:{n}")
    files = sorted(SHIPPED.glob("*.toml"))
    for file in files:  # a service's config names others
        shutil.copy(file, folder)
    file = rnd.choice(files)
    data, done = mutate(file.read_text(), rnd)
    path = folder / "mutated.toml"
    path.write_bytes(data)
    case = Case(CAMPAIGN, seed, n, f"{done}, of {file.name}")
    said = calls.call("check", str(path))
    case.faults = [*rules.spoken(said), *rules.known_code(said, (0, 2)), *rules.refused_in_one_line(said)]
    case.facts = {"outcome": "valid" if said.code == 0 else "refused"}
    return case
