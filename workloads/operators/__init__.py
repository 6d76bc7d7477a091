"""Which operators an execution uses for each layer of a network, read from the programs that really run.

`workloads.operators.recorded` builds a network and its steps with readers around them, which see what the frameworks
dispatch, the graphs that they run after optimization, and the programs that a converter wrote. An execution that knows
better defines `operators(network, setup, shape) -> list[tuple[str, str]]`: layer and operator, in order.
"""
