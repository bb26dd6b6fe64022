#!/bin/bash
mpirun ./pi-c
mpirun ./pi-fortran
