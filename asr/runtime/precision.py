"""Arithmetic that can be asked for, apart from what carries it out, which takes seconds to import."""

from enum import StrEnum


class Precision(StrEnum):
    """AUTO: the fastest that the machine has and that loses no accuracy."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


AUTO_INSTRUCTIONS = "auto"  # of the kernels in int8: whichever are fastest here
