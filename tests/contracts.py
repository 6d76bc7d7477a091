"""An import contract: all that some modules import, however indirectly, is the standard library and a few packages."""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class Light(Contract):
    """Modules and what they may import from outside: named packages, nothing else but the standard library."""

    type_name = "light"
    modules = fields.ListField(subfield=fields.StringField())
    """With everything below them."""
    but = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    """Left out, with everything below them; the others may not import them either."""
    packages = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    never = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    """Packages of our own that may not be among what they import."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every chain of imports that leads to something else."""
        broken: dict[str, tuple[str, ...]] = {}
        modules = [m for m in graph.modules if _below(m, self.modules) and not _below(m, self.but)]
        missing = [name for name in (*self.modules, *self.but, *self.never) if name not in graph.modules]
        for module in sorted(modules):
            for found in sorted(graph.find_upstream_modules(module)):
                if found not in broken and self._is_foreign(found):
                    broken[found] = graph.find_shortest_chain(module, found) or (module, found)
        return ContractCheck(kept=not broken and not missing, metadata={"chains": broken, "missing": missing})

    def _is_foreign(self, module: str) -> bool:
        root = module.partition(".")[0]
        if root in self.session_options["root_packages"]:
            return _below(module, [*self.but, *self.never])
        return root not in sys.stdlib_module_names and root not in self.packages

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Each chain on a line."""
        for name in check.metadata["missing"]:
            output.print_error(f"no module is named {name}: the contract holds nothing")
        for chain in check.metadata["chains"].values():
            output.print_error(" imports ".join(chain))


def _below(module: str, roots: list[str]) -> bool:
    return any(module == root or module.startswith(f"{root}.") for root in roots)
