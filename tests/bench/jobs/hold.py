"""Results that cannot be computed again are held by all workers; are they still there later?"""

import random

from dask.distributed import Client, wait

client = Client()
workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
held = [client.submit(random.random, workers=[one], allow_other_workers=True, pure=False)
        for one in workers for _ in range(4)]  # fmt: skip
wait(held)
before = client.gather(held)
print(f"held by {len(workers)}", flush=True)
input()
after = client.gather(held)
left = len(client.scheduler_info(n_workers=-1)["workers"])
print(f"{'the same' if before == after else 'others'}, held by {left}", flush=True)
