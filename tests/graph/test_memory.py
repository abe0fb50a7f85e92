"""Peak activations: what lives at once, and no more."""

from __future__ import annotations

from edgegap.graph.memory import peak_activations

from .models import normal, ready

X, HALF = 4 * 36, 2 * 36
IMAGE = "float[1,4,6,6]"


def peak(body: str) -> int:
    arrays = {"w": normal(4, 4, 1, 1), "h": normal(2, 4, 1, 1)}
    used = {name: array for name, array in arrays.items() if f" {name})" in body}
    return peak_activations(ready(body, x=IMAGE, **used))


def test_a_chain_takes_the_input_and_the_output_of_one_node() -> None:
    assert peak("a = Conv(x, w) b = Conv(a, w) y = Conv(b, w)") == 2 * X
    assert peak("a = Conv(x, h) y = Sigmoid(a)") == X + HALF


def test_a_skip_lives_until_it_is_added() -> None:
    assert peak("a = Conv(x, w) b = Conv(a, w) y = Add(x, b)") == 3 * X


def test_a_value_is_dropped_after_its_last_reader() -> None:
    assert peak("a = Conv(x, w) b = Add(x, a) c = Conv(b, w) y = Conv(c, w)") == 3 * X


def test_an_activation_and_a_reshape_take_no_memory_of_their_own() -> None:
    assert peak("a = Conv(x, w) b = Relu(a) y = Flatten(b)") == 2 * X


def test_an_activation_beside_another_reader_does() -> None:
    assert peak("a = Conv(x, w) b = Relu(a) y = Add(a, b)") == 3 * X


def test_a_reshaped_value_lives_as_long_as_what_reads_it() -> None:
    assert peak("a = Conv(x, w) f = Flatten(a) b = Conv(x, w) g = Flatten(b) y = Add(f, g)") == 3 * X


def test_the_output_lives_to_the_end() -> None:
    assert peak("y = Conv(x, w)") == 2 * X


def test_a_network_of_which_nothing_is_left_is_its_input() -> None:
    model = ready("y = Relu(x)", x=IMAGE)
    model.graph.outputs.clear()
    model.graph.remove(list(model.graph), safe=False)
    assert peak_activations(model) == X
