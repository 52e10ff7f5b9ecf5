# Prints the file of the MPI library that deno task mpi may load, and no other: $L2VIT_MPI if it is set, else the one that belongs to the
# launcher that started this, else the first that is found.
#
# Looked at, in this order: what modules and Spack set (MPI_HOME, MPI_ROOT, CRAY_MPICH_DIR, I_MPI_ROOT), the folder beside the mpirun of
# PATH, LD_LIBRARY_PATH, and where Debian, Fedora, Cray and a plain "make install" put libraries.

given=$L2VIT_MPI
none=/nonexistent/libmpi.so

# a permission is a list with commas
permitted() {
  case $1 in *,*) echo "error: the name of the MPI library must have no comma: $1" >&2; echo $none ;; *) echo "$1" ;; esac
}

if [ -n "$given" ]; then
  case $given in /*) permitted "$given" ;; *) permitted "$PWD/$given" ;; esac
  exit
fi

open_mpi="libmpi.so.80 libmpi.so.40 libmpi.so.20 libmpi.so"
mpich="libmpi.so.12 libmpich.so.12 libmpi_gnu.so libmpi_gnu_*.so libmpi_cray.so libmpich.so libmpi.so"
mpi_5="libmpi_abi.so.1 libmpi_abi.so.0 libmpi_abi.so"
if [ -n "$OMPI_COMM_WORLD_SIZE" ]; then names="$open_mpi $mpi_5"
elif [ -n "$PMI_SIZE" ]; then names="$mpich $mpi_5"
else names="$open_mpi $mpich $mpi_5"; fi

launcher=$(command -v mpirun 2>/dev/null) && prefix=$(dirname "$(dirname "$(readlink -f "$launcher")")")
machine=$(uname -m)
folders=$(
  for home in "$MPI_HOME" "$MPI_ROOT" "$CRAY_MPICH_DIR" "$I_MPI_ROOT" "$prefix"; do
    [ -n "$home" ] && printf '%s\n' "$home/lib" "$home/lib64" "$home/lib/release" "$home/lib/$machine-linux-gnu"
  done
  printf '%s\n' "$LD_LIBRARY_PATH" | tr ':' '\n'
  printf '%s\n' "/usr/lib/$machine-linux-gnu" /usr/lib64/openmpi/lib /usr/lib64/mpich/lib /usr/lib64 /usr/lib /usr/local/lib
  printf '%s\n' /opt/cray/pe/mpich/default/ofi/gnu/*/lib /opt/cray/pe/lib64 /opt/homebrew/lib
)

IFS='
'
for folder in $folders; do
  [ -d "$folder" ] || continue
  IFS=' '
  for name in $names; do
    for file in "$folder"/$name; do
      if [ -f "$file" ]; then permitted "$file"; exit; fi
    done
  done
done
echo $none
