#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int rank, size, length, n = 1000000;
    char host[MPI_MAX_PROCESSOR_NAME];
    double part = 0, pi;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    for (int i = rank; i < n; i += size) {
        double x = (i + 0.5) / n;
        part += 4 / (1 + x * x) / n;
    }
    MPI_Reduce(&part, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    printf("rank %d of %d on %s\n", rank, size, host);
    if (rank == 0)
        printf("pi %.12f\n", pi);
    MPI_Finalize();
    return 0;
}
