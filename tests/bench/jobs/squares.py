#!/usr/bin/env python
import os
import socket

number = int(os.environ["SLURM_ARRAY_TASK_ID"])
print(number, sum(k * k for k in range(number + 1)), socket.gethostname())
