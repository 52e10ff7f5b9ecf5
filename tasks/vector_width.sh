# Prints how many bits llvmpipe, Mesa's software adapter, is to compute with at a time: 512 where the processor has AVX-512, which makes
# steps of the full-size model a fifth shorter; else nothing, which leaves it to Mesa. What the environment says goes before.
if [ -z "$LP_NATIVE_VECTOR_WIDTH" ] && grep -qs avx512f /proc/cpuinfo; then echo 512; else echo "$LP_NATIVE_VECTOR_WIDTH"; fi
