"""Chains on a Dask cluster, here of two workers of this machine: pip install distributed."""

from distributed import Client, LocalCluster

import fastebm as eb


def main(n_draws: int = 500) -> eb.Run:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,  # elsewhere: Client("tcp://the-scheduler:8786")
    ):
        return eb.sample(eb.Ring(), eb.HMC(), n_draws=n_draws, rng=0, executor=client.get_executor())


if __name__ == "__main__":
    print(main().summary().to_string())
