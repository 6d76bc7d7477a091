"""A PyTorch that computes nothing: as much as `workloads.frameworks.torch` asks for on the processor."""

__version__ = "0.stub"


class OutOfMemoryError(RuntimeError):
    pass


def set_num_threads(number):
    pass


def get_num_threads():
    return 1


def set_num_interop_threads(number):
    pass


def get_num_interop_threads():
    return 1


def manual_seed(seed):
    pass


class version:  # noqa: N801
    cuda = None


class _Processor:
    @staticmethod
    def get_cpu_capability():
        return "stub"


class _OneDnn:
    enabled = False

    @staticmethod
    def is_available():
        return False


class backends:  # noqa: N801
    cpu = _Processor
    mkldnn = _OneDnn


class cuda:  # noqa: N801
    @staticmethod
    def is_initialized():
        return False

    @staticmethod
    def is_available():
        return False
