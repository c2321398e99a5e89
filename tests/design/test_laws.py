"""Laws of the design space that need no network: text round trips, and costs that add up."""

import json
from itertools import pairwise

import yaml
from hypothesis import given

from glocal import design
from glocal.design import Op, Residual, cost, dump, load, parts, python, show, spell
from glocal.design.architecture import classifier, head_split
from glocal.design.cost import ops
from glocal.design.shapes import Vector
from glocal.design.text import words as named_in
from glocal.families import catalogue
from strategies import architectures, law, words


def test_random_architectures_say_every_op_and_the_words_of_all_papers():
    """Else the laws below would hold of less than they say."""
    said = set()

    @law(400)
    @given(architectures())
    def collect(arch):
        said.update(named_in(arch), (type(op) for _, op, _ in ops(arch)))

    collect()
    spoken = [getattr(design, name) for name in design.__all__]
    assert {cls for cls in spoken if isinstance(cls, type) and issubclass(cls, Op) and cls is not Op} <= said
    assert set(catalogue.words()) <= said


@law(50)
@given(architectures())
def test_plain_data_make_the_architecture_again(arch):
    assert load(dump(arch), words()) == arch


@law(50)
@given(architectures())
def test_json_and_yaml_make_the_architecture_again(arch):
    assert load(json.loads(json.dumps(dump(arch))), words()) == arch
    assert load(yaml.safe_load(yaml.safe_dump(dump(arch))), words()) == arch


@law(50)
@given(architectures())
def test_the_python_expression_evaluates_to_the_architecture(arch):
    names = {cls.__name__: cls for cls in named_in(arch)}
    assert eval(python(arch), {"__builtins__": {}}, names) == arch


@law(50)
@given(architectures())
def test_each_part_reads_the_shape_that_the_part_before_it_left(arch):
    walk = [part for _, part in parts(arch)]
    assert walk[0].given == arch.image
    assert all(left.left == right.given for left, right in pairwise(walk))
    assert walk[-1].left == Vector(classifier(arch).width)


@law(50)
@given(architectures())
def test_the_whole_costs_what_its_ops_cost_one_by_one(arch):
    each = [(op.params(s), op.macs(s)) for _, op, s in ops(arch)]
    assert cost(arch) == (sum(p for p, _ in each), sum(m for _, m in each))
    assert not any(isinstance(op, Residual) for _, op, _ in ops(arch))


@law(50)
@given(architectures())
def test_every_op_has_a_path_of_its_own(arch):
    paths = [path for path, _, _ in ops(arch)]
    assert len(paths) == len(set(paths))


@law(50)
@given(architectures())
def test_the_pages_name_every_part_and_every_op(arch):
    page, long = show(arch), spell(arch).splitlines()
    assert [line.split()[0] for line in long] == [path for path, _, _ in ops(arch)]
    for path, _ in parts(arch):
        place = path.rsplit(".", 1)[0].replace(".blocks", "") if ".blocks." in path else path
        assert f"\n{place} " in page


@law(50)
@given(architectures())
def test_the_head_splits_where_positions_end(arch):
    at = head_split(arch)
    (*_, (_, head)) = parts(arch)
    shape = head.given
    for op in arch.head[:at]:
        shape = op.out(shape)
    assert not isinstance(shape, Vector)
    assert isinstance(arch.head[at].out(shape), Vector)
