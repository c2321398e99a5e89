"""Simulated arms for tests of comparisons. Import it as `from arms import ...`."""

import numpy as np


def arms(
    count: int = 2, *, seeds: int = 5, pictures: int = 400, seed: int = 0, gap: float = 0.0, seed_sd: float = 0.1
) -> list[np.ndarray]:
    """What each arm classified correctly, (seeds, pictures); the first is better than all others by `gap` of skill."""
    return [
        arm[0] for arm in experiments(1, count, seeds=seeds, pictures=pictures, seed=seed, gap=gap, seed_sd=seed_sd)
    ]


def experiments(
    worlds: int, count: int = 2, *, seeds: int, pictures: int, seed: int = 0, gap: float = 0.0, seed_sd: float = 0.1
) -> list[np.ndarray]:
    """Many worlds at once: (worlds, seeds, pictures) of each arm.

    Skill 1 is 70 % accuracy. Pictures differ in ease for all arms alike, and a little for each arm; seeds differ in skill.
    """
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1.6, (worlds, 1, pictures))
    found = []
    for arm in range(count):
        taste = rng.normal(0, 0.5, (worlds, 1, pictures))
        skill = 1 + gap * (arm == 0) + rng.normal(0, seed_sd, (worlds, seeds, 1))
        luck = rng.standard_normal((worlds, seeds, pictures), dtype=np.float32)
        found.append(luck > -(skill + ease + taste).astype(np.float32))
    return found
