"""Print how the code is built, in numbers: rooms, arrows, circles, homes of names, weak names.

    python scripts/structure.py [ROOT]

Nothing is imported but the standard library; the source is read as text. Exit code 1 if a number
misses its limit. Rooms are the folders of ``qipo_ray/`` and the files beside them.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "qipo_ray"
# Names that say nothing of what they hold.
WEAK = frozenset(
    """
    found one some known place places words wanted shown what where seen made given here there
    other others own ours theirs most many told said such thing things whole which that this
    those these it its each
    """.split()  # noqa: SIM905 - read as a text
)
# 28,181 before its rooms were moved; a new capability raises it (`preset: auto`, other ends,
# cloning, IQL and TD3+BC as methods, files of other libraries, faults of machines, tasks and
# methods of users, OGBench, searches that need no simulator, plans and budgets, buckets and
# clusters that change, racing, sweeps that start from others).
PACKAGE_LINES = 46_500
SETTING_FILES = 4  # of the package that may name one setting

# The rooms from the ground up, each with what it may import: rooms, or one module of a room. A
# room imports from below alone; `errors`, `version`, `cores`, `user_modules` and itself are always
# allowed.
HOUSE: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "cores": set(),
    "user_modules": set(),
    "presets": set(),
    "config": set(),
    "flow": set(),
    "nets": set(),
    "data": set(),
    "study": {"config", "data.tasks"},
    "store": {"config"},
    "agent": {"config", "flow", "nets", "data.transitions"},
    "evaluation": {"data"},
    "train": {"config", "study", "store", "nets", "data", "agent", "evaluation"},
    "tracking": {"config", "study", "store", "evaluation", "train"},
    "deploy": {"config", "data.tasks", "study", "store", "agent", "train", "leaderboard"},
    "distributed": {"study", "data", "train", "store"},
    "leaderboard": {"config", "study", "store", "data.tasks"},
    "verify": {"config", "study", "store", "leaderboard", "data.tasks"},
    "sweep": {
        "config", "study", "store", "data", "train", "tracking", "distributed", "leaderboard",
    },
    "validation": {"flow", "nets", "store"},
    "bench": {"config", "data", "evaluation", "leaderboard"},
    "cli": {
        "config", "study", "store", "data", "evaluation", "train", "tracking", "deploy",
        "leaderboard", "verify", "sweep", "validation", "bench", "distributed",
    },
    "api": {"cli", "config", "data", "leaderboard", "study", "sweep"},
    "__init__": {"deploy", "api"},
    "__main__": {"cli"},
}  # fmt: skip


@dataclass
class Module:
    """One source file: what it imports, defines, binds and how long it is."""

    name: str  # dotted, without the package: "train.engine"
    tree: ast.Module
    lines: int
    imports: set[str] = field(default_factory=set)  # dotted names of modules of the package

    @property
    def room(self) -> str:
        """The folder, or the file itself beside the folders."""
        return self.name.split(".")[0]


def read(root: Path) -> dict[str, Module]:
    """Return every module of the package under ``root`` by its dotted name, imports resolved."""
    modules = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root / PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, ast.parse(text), text.count("\n"))
    for module in modules.values():
        targets = (resolve(target, modules) for target in _imported(module.tree))
        module.imports = {name for name in targets if name and name != module.name}
    return modules


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def resolve(target: str, modules: Mapping[str, Module]) -> str | None:
    """Return the module of the package that an imported dotted name lies in, None for others."""
    head, _, name = target.partition(".")
    if head != PACKAGE:
        return None
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or "__init__"


def circles(modules: Mapping[str, Module]) -> list[list[str]]:
    """Return the groups of modules that import each other, also through others, each sorted."""
    reached = {name: _reachable(name, modules) for name in modules}
    groups = {
        tuple(sorted({name, *(o for o in reached[name] if name in reached[o])}))
        for name in modules
        if name in reached[name]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(start: str, modules: Mapping[str, Module]) -> set[str]:
    reached: set[str] = set()
    stack = list(modules[start].imports)
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack += modules[name].imports
    return reached


def arrows(modules: Mapping[str, Module]) -> set[tuple[str, str]]:
    """Return the pairs of rooms of which the first imports from the second."""
    pairs = ((m.room, modules[name].room) for m in modules.values() for name in m.imports)
    return {(room, other) for room, other in pairs if room != other}


def upward(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the arrows from a room to one that stands above it in ``HOUSE``."""
    floor = {room: number for number, room in enumerate(HOUSE)}
    return sorted((a, b) for a, b in pairs if floor.get(b, -1) >= floor.get(a, len(floor)))


def homes(modules: Mapping[str, Module]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the classes and the module names that have two homes or more; verbs are left out."""
    classes: defaultdict[str, list[str]] = defaultdict(list)
    names: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules.values():
        stem = module.name.rpartition(".")[2]
        if module.room != "cli" and not stem.startswith("__") and "." in module.name:
            names[stem].append(module.name)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(module.name)
    return (
        {name: where for name, where in classes.items() if len(where) > 1},
        {name: where for name, where in names.items() if len(where) > 1},
    )


def bindings(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module binds: variables, parameters, exceptions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id.strip("_")
        elif isinstance(node, ast.arg):
            yield node.arg.strip("_")
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def setting_files(modules: Mapping[str, Module]) -> dict[str, list[str]]:
    """Return for every setting of ``config/schema.py`` the modules that name it."""
    settings = {
        (node.name.lower(), item.target.id)
        for node in modules["config.schema"].tree.body
        if isinstance(node, ast.ClassDef) and node.name != "Config"
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
    sections = {section for section, _ in settings}
    where: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules.values():
        for section, key in settings & set(_settings_named(module.tree, sections)):
            where[f"{section}.{key}"].append(module.name)
    for section, key in settings:
        where[f"{section}.{key}"] = sorted({*where[f"{section}.{key}"], "config.schema"})
    return dict(where)


def _settings_named(tree: ast.AST, sections: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (section, key) of each ``config.policy.beta``, also through a local name, and text."""
    aliases: defaultdict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for name, value in _pairs(target, node.value):
                    if isinstance(value, ast.Attribute) and value.attr in sections:
                        aliases[name].add(value.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = getattr(owner, "attr", None) or getattr(owner, "id", "")
            for section in aliases.get(name, set()) | ({name} & sections):
                yield section, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            section, dot, key = node.value.partition(".")
            if dot and section in sections:
                yield section, key.partition("=")[0]


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, part in zip(target.elts, value.elts, strict=False):
            yield from _pairs(inner, part)


@dataclass(frozen=True)
class Figure:
    """One number with its limit, and what stands behind it."""

    name: str
    value: float
    limit: float | None  # at most; None: told, not judged
    details: tuple[str, ...] = ()

    @property
    def missed(self) -> bool:
        """Whether the number is above its limit."""
        return self.limit is not None and self.value > self.limit


def figures(root: Path) -> list[Figure]:
    """Return every figure of the source tree under ``root``."""
    modules = read(root)
    pairs = arrows(modules)
    classes, names = homes(modules)
    counts = Counter(name for module in modules.values() for name in bindings(module.tree))
    weak = {name: counts[name] for name in WEAK if counts[name]}
    lines = sum(module.lines for module in modules.values())
    board = sum(m.lines for m in modules.values() if m.room == "leaderboard")
    beside = sum(
        path.read_text(encoding="utf-8").count("\n")
        for folder in ("benchmarks", "scripts")
        for path in (root / folder).glob("*.py")
    )
    spread = {key: where for key, where in setting_files(modules).items()}
    wide = {key: where for key, where in spread.items() if len(where) > SETTING_FILES}
    rings, up = circles(modules), upward(pairs)
    return [
        Figure("rooms", len({module.room for module in modules.values()}), None),
        Figure("arrows between rooms", len(pairs), None),
        Figure("arrows that run upward", len(up), 1, tuple(f"{a} -> {b}" for a, b in up)),
        Figure("import circles", len(rings), 0, tuple(", ".join(ring) for ring in rings)),
        Figure("class names with two homes", len(classes), 0, _listed(classes)),
        Figure("module names with two homes", len(names), 0, _listed(names)),
        Figure("lines of the package", lines, PACKAGE_LINES),
        Figure("lines with benchmarks and scripts", lines + beside, None),
        Figure("leaderboard, % of the package's lines", round(100 * board / lines, 1), 15.0),
        Figure(
            "weak names, % of bindings",
            round(100 * sum(weak.values()) / sum(counts.values()), 2),
            1.0,
            tuple(f"{name} {count}" for name, count in Counter(weak).most_common(12)),
        ),
        Figure(f"settings named in more than {SETTING_FILES} files", len(wide), 0, _listed(wide)),
    ]


def _listed(where: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(f"{name}: {', '.join(modules)}" for name, modules in sorted(where.items()))


def main() -> int:
    """Print the figures; return 1 if one misses its limit."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    missed = 0
    for figure in figures(root):
        limit = "" if figure.limit is None else f"   (at most {figure.limit:g})"
        print(f"{'MISSED ' if figure.missed else ''}{figure.name}: {figure.value:g}{limit}")
        if figure.missed:
            missed += 1
            for detail in figure.details:
                print(f"    {detail}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
