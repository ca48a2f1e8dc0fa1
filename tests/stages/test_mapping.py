"""What maps follow from."""

from landslide_cli.profile import Profile
from landslide_cli.stages.mapping import Recipe
from landslide_cli.stages.planning import Plan
from landslide_cli.stages.runs import find_run


def test_a_run_that_was_trained_again_is_another_recipe(trained: Profile) -> None:
    plan = Plan("openvino", "float32", None, None, 32, True, 1, 1)
    run = find_run(trained)
    first, again, retrained = (
        Recipe(trained, run, plan, 0.5, fingerprint) for fingerprint in ("a", "a", "b")
    )
    assert first.key == again.key
    assert first.key != retrained.key
