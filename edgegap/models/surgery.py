"""A GAP head in place of a flatten and fully connected layers, at any network that torch.fx can trace.

Rules, for the layers from the flatten of a map [N, C, H, W] to the scores:
    1. The flatten goes.
    2. The first Linear becomes a 1x1 convolution. Its weights are the FC's, averaged over the H*W positions and times
       H*W: among all layers that treat every position alike, that one is nearest to the FC layer (it is the orthogonal
       projection of its weights), and for a map that is the same everywhere its scores are the FC's.
    3. Further Linears become 1x1 convolutions with the same weights, BatchNorm1d becomes BatchNorm2d, and what works
       on each value by itself (ReLU, Dropout ...) stays: an mlpconv of 'Network In Network' (Lin et al., 2013).
    4. The average over the positions comes last: one map per class into its score.

torch.fx traces the network once, in evaluation mode: control flow on values cannot be traced, and functional dropout
(`F.dropout(x, training=self.training)`) is off from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgegap.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

_ELEMENTWISE_MODULES = ("ReLU", "ReLU6", "LeakyReLU", "Hardswish", "ELU", "SiLU", "GELU", "Mish", "Dropout", "Identity")
_ELEMENTWISE_CALLS = ("relu", "relu_", "relu6", "leaky_relu", "hardswish", "dropout", "contiguous", "clone")
_FLATTENS = ("flatten", "view", "reshape")

_ONE_POSITION = (
    "its maps are averaged, or have one position, before the fully connected layer: nothing is left to average"
)

_AS_IT_IS = "Use the network as it is, or write its GAP head by hand: edgegap.models.GAPHead."


def with_gap_head(network: nn.Module, input_shape: tuple[int, int, int], spec: str) -> nn.Module:
    """The network with a GAP head, by the rules above; what is before its flatten is shared with `network`.

    Args:
        network: float32 [N, C, H, W] to scores [N, classes].
        input_shape: C, H, W of its input.
        spec: what to call it in messages.

    Raises:
        ModelError: torch.fx cannot trace it, it does not take such an input, or there is no flatten of a map in front
            of fully connected layers at its end.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    graph = _traced(network.eval(), input_shape, spec)
    modules = dict(graph.named_modules())
    flatten, tail = _tail(graph, modules, spec)
    source = flatten.all_input_nodes[0]
    height, width = _positions(source, spec)
    flatten.replace_all_uses_with(source)
    flattened = True
    for node in tail:
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach()
            if flattened:
                weight = weight.view(len(weight), -1, height * width).sum(2)
            flattened = False
            _put(graph, str(node.target), _as_convolution(weight, layer.bias))
        elif isinstance(layer, nn.BatchNorm1d):
            if flattened:
                what = f"normalizes every position by its own statistics ({node}), which an average cannot keep"
                raise ModelError(what, where=spec, hint=_AS_IT_IS)
            _put(graph, str(node.target), _as_2d(layer))
    _average(graph, tail[-1])
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _average(graph: fx.GraphModule, last: fx.Node) -> None:
    """Put the average behind the node that made the scores and now makes maps."""
    from torch import nn  # noqa: PLC0415  # slow to import

    name = "gap"
    while hasattr(graph, name):
        name += "_"
    graph.add_submodule(name, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    with graph.graph.inserting_after(last):
        pooled = graph.graph.call_module(name, (last,))
    last.replace_all_uses_with(pooled, delete_user_cb=lambda user: user is not pooled)


def _traced(network: nn.Module, input_shape: tuple[int, int, int], spec: str) -> fx.GraphModule:
    """The network as a graph whose nodes know the shape of what they compute."""
    import torch  # noqa: PLC0415  # slow to import
    from torch import fx  # noqa: PLC0415
    from torch.fx.passes.shape_prop import ShapeProp  # noqa: PLC0415

    example = torch.zeros(1, *input_shape)
    try:
        with torch.no_grad():
            network(example)
    except Exception as error:  # the user's code may raise anything
        given = ",".join(map(str, input_shape))
        hint = "Check the preprocessing: the images must have the size that the network takes."
        raise ModelError(f"does not take images of C,H,W = {given}", where=spec, hint=hint) from error
    try:
        graph = fx.symbolic_trace(network)
        with torch.no_grad():
            ShapeProp(graph).propagate(example)
    except Exception as error:  # the user's code may raise anything
        reason = str(error).strip().splitlines()[:1]
        hint = "torch.fx traces networks without control flow on values. " + _AS_IT_IS
        raise ModelError(f"cannot be traced: {''.join(reason)}", where=spec, hint=hint) from error
    return graph


def _tail(graph: fx.GraphModule, modules: dict[str, nn.Module], spec: str) -> tuple[fx.Node, list[fx.Node]]:
    """The flatten, and the nodes behind it, up to the one that makes the scores."""
    from torch import nn  # noqa: PLC0415  # slow to import

    (output,) = [node for node in graph.graph.nodes if node.op == "output"]
    tail: list[fx.Node] = []
    node: Any = output.args[0]
    linears = 0
    while True:
        layer = modules.get(str(getattr(node, "target", None))) if getattr(node, "op", "") == "call_module" else None
        if linears and _flattens(node, layer):
            return node, tail[::-1]
        if isinstance(layer, nn.Linear):
            linears += 1
        elif not linears or not (isinstance(layer, nn.BatchNorm1d) or _elementwise(node, layer)):
            raise ModelError(_why_not(node, layer, linears), where=spec, hint=_AS_IT_IS)
        tail.append(node)
        node = node.all_input_nodes[0]


def _why_not(node: Any, layer: nn.Module | None, linears: int) -> str:
    """Why the end of the network is not what this module can replace."""
    name = f"{node} ({type(layer).__name__})" if layer is not None else str(node)
    if not linears:
        return f"ends in {name}, not in a fully connected layer: there is no head to replace"
    if layer is None and _called(node) == "mean":
        return _ONE_POSITION
    return f"has {name} in front of its fully connected layer, where a flatten of a map is needed"


def _flattens(node: fx.Node, layer: nn.Module | None) -> bool:
    """Whether a node makes [N, K] of more axes."""
    from torch import nn  # noqa: PLC0415  # slow to import

    called = _called(node) in _FLATTENS if layer is None else isinstance(layer, nn.Flatten)
    return called and len(_shape(node)) == 2 and len(_shape(node.all_input_nodes[0])) > 2


def _elementwise(node: fx.Node, layer: nn.Module | None) -> bool:
    return _called(node) in _ELEMENTWISE_CALLS if layer is None else type(layer).__name__ in _ELEMENTWISE_MODULES


def _called(node: fx.Node) -> str:
    """`relu` of torch.relu(x), F.relu(x) and x.relu()."""
    if node.op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", "") if node.op == "call_function" else ""


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.meta["tensor_meta"].shape)


def _positions(source: fx.Node, spec: str) -> tuple[int, int]:
    """H and W of the map that is flattened.

    Raises:
        ModelError: it is no map [N, C, H, W], or one of a single position.
    """
    shape, maker = _shape(source), source
    while _called(maker) in ("contiguous", "clone"):
        maker = maker.all_input_nodes[0]
    if len(shape) != 4 or _called(maker) in ("permute", "transpose"):
        what = f"flattens a tensor of {list(shape)} that {maker} made, which is no map [N, C, H, W]"
        raise ModelError(what, where=spec, hint=_AS_IT_IS)
    if shape[2] * shape[3] == 1:
        raise ModelError(_ONE_POSITION, where=spec, hint=_AS_IT_IS)
    return shape[2], shape[3]


def _as_convolution(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv2d:
    """The 1x1 convolution with the weight [outputs, inputs] of a Linear."""
    from torch import nn  # noqa: PLC0415  # slow to import

    outputs, inputs = weight.shape
    layer = nn.Conv2d(inputs, outputs, 1, bias=bias is not None)
    state = {"weight": weight.reshape(outputs, inputs, 1, 1)}
    layer.load_state_dict(state if bias is None else {**state, "bias": bias.detach()})
    return layer


def _as_2d(layer: nn.BatchNorm1d) -> nn.BatchNorm2d:
    """The same normalization, of maps."""
    from torch import nn  # noqa: PLC0415  # slow to import

    wide = nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    wide.load_state_dict(layer.state_dict())
    return wide


def _put(graph: fx.GraphModule, path: str, layer: nn.Module) -> None:
    graph.delete_submodule(path)
    graph.add_submodule(path, layer)
