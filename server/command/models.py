"""`sayseek-server models --measure`: what could compute a model here, how long it takes, and what is chosen."""

from rich.console import Console
from rich.table import Table

from asr.runtime.arithmetic import candidates
from asr.runtime.choose import shares_here, threads_of_one
from asr.runtime.measuring import CLIP_SECONDS, ROWS, measure
from asr.whisper.checkpoints import load_checkpoint
from server.settings import Settings


def print_measurement(settings: Settings, out: Console) -> None:
    """Measure anew, on the CPU, and print a table. Raises AsrError."""
    checkpoint = load_checkpoint(settings.model, hub_cache=settings.hub_cache, offline=settings.offline)
    threads = threads_of_one(shares_here(settings.replicas, settings.threads))
    times, calm = measure(checkpoint, candidates(settings.precision, settings.instructions), threads)
    steps = " and ".join(map(str, ROWS))
    table = Table("arithmetic", "encoder, ms", "decoder, ms", box=None, header_style="bold")
    for name, chosen in ((name, times.best()) for name in times.encoder):
        table.add_row(
            name,
            *(
                f"{own[name]:.2f}" + (" (chosen)" if best == name else "")
                for own, best in zip((times.encoder, times.decoder), chosen, strict=True)
            ),
        )
    out.print(table)
    alone = f"{checkpoint.name}, a clip alone on {threads} thread{'s' if threads > 1 else ''}"
    out.print(
        f"{alone}: the encoder for {CLIP_SECONDS:g} s of sound; the decoder's steps of {steps} rows. Both are reckoned "
        "from the first layers.",
        highlight=False,
    )
    if not calm:
        out.print("The machine was busy with something else: measure again when it is not.", highlight=False)
