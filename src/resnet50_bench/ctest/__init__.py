"""ctest.sh's words -> calls of ctest."""
