"""Chains in loky's processes, which are kept and made anew when one dies: pip install loky."""

from loky import get_reusable_executor

import fastebm as eb


def main(n_draws: int = 500) -> eb.Run:
    return eb.sample(eb.Ring(), eb.HMC(), n_draws=n_draws, rng=0, executor=get_reusable_executor(max_workers=2))


if __name__ == "__main__":
    print(main().summary().to_string())
