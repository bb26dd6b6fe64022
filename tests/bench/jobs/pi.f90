program pi_fortran
  use mpi
  implicit none
  integer :: rank, size, i, n = 1000000, error, length
  double precision :: total, part, x
  character(len=MPI_MAX_PROCESSOR_NAME) :: host
  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  call MPI_Comm_size(MPI_COMM_WORLD, size, error)
  call MPI_Get_processor_name(host, length, error)
  part = 0
  do i = rank, n - 1, size
    x = (i + 0.5d0) / n
    part = part + 4 / (1 + x * x) / n
  end do
  call MPI_Reduce(part, total, 1, MPI_DOUBLE_PRECISION, MPI_SUM, 0, MPI_COMM_WORLD, error)
  print '(a,i0,a,i0,2a)', 'rank ', rank, ' of ', size, ' on ', host(1:length)
  if (rank == 0) print '(a,f14.12)', 'pi ', total
  call MPI_Finalize(error)
end program
