"""The bodies of emitted functions that look at inputs: how far from a kink, and whether what is inverted is regular."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradgen.kinks import Switch, floor, matrices, needed, order, switches
from gradgen.tape import Argument, Call, Tape
from gradgen.tiny import symbols
from gradgen.transcript import TAKEN, Transcript, free_name


def kink_lines(tape: Tape) -> tuple[str, ...]:
    """The body of the function that measures the distance to the nearest kink; none where there is no kink."""
    found = switches(tape)
    if not found:
        return ()
    wanted = tuple(dict.fromkeys(call for switch in found for call in switch.operands))
    spectra = matrices(call for call in needed(wanted) if call.op == "eigvalsh")
    text = transcribed(tape, wanted, dict.fromkeys(spectra, "if not np.all(np.isfinite({})): return 0.0"))
    gaps = ", ".join(gap_text(switch, text) for switch in found)
    return (*unpacked(tape, text), *text.statements, f"return nearest({gaps})")


def regular_lines(tape: Tape, determinants: bool) -> tuple[str, ...]:
    """The body of the function that looks at what is inverted, and has a determinant taken; none where nothing is."""
    found = order(tape)
    looked = (*found.inverted, *(found.determinants if determinants else ()))
    wanted = matrices(looked)
    if not wanted:
        return ()
    words = dict.fromkeys(wanted, "invertible") | dict.fromkeys(definite(tape), "definite")
    text = transcribed(tape, wanted, {call: f"if not {words[call]}({{}}): return False" for call in wanted[:-1]})
    return (*unpacked(tape, text), *text.statements, f"return {words[wanted[-1]]}({text.at(wanted[-1])})")


def definite(tape: Tape) -> tuple[Call, ...]:
    """The matrices that have to be positive definite."""
    return matrices(call for call in order(tape).inverted if call.op == "cholesky")


def transcribed(tape: Tape, wanted: Sequence[Call], guards: Mapping[Call, str] | None = None) -> Transcript:
    """The calls as text in which the spec's names give way to ours."""
    arguments = {a.name: free_name(a.name, TAKEN) for a in tape.arguments}
    taken = (*TAKEN, *arguments.values())
    dimensions = {name: free_name(name, taken) for name in symbols(tape)}
    return Transcript(wanted, arguments, dimensions, tape.names, guards)


def unpacked(tape: Tape, text: Transcript) -> list[str]:
    """The statements that give the arguments and dimensions their names, where they are used."""
    names = tuple(text.dimensions.values())
    found = [f"{names[0]}, = sizes" if len(names) == 1 else f"{', '.join(names)} = sizes"]
    found = found if text.used_dimensions else []
    used = [a.name for a in tape.arguments if a.name in text.used_arguments]
    values = ", ".join(_value(tape.argument(name)) for name in used)
    return [*found, f"{', '.join(text.arguments[name] for name in used)} = {values}"] if used else found


def _value(argument: Argument) -> str:
    """An argument as the formula has it."""
    text = f'values["{argument.name}"]'
    return f"np.diag({text})" if argument.kind == "Diagonal" else text


def gap_text(switch: Switch, text: Transcript) -> str:
    low = floor(switch)
    named = "" if low is None else text.name(low)
    first = text.at(switch.operands[0], 3)
    if switch.best:
        axis = switch.axis[0] if len(switch.axis) == 1 else switch.axis
        return f"{first} - np.{switch.best}({first}, axis={axis}, keepdims=True)"
    between = " - ".join((first, *(text.at(other, 3) for other in switch.operands[1:])))
    return f"np.where({named} == 0, 0.0, {between})" if named else between
