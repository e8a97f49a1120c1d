"""ctest.sh's command line -> calls of ctest."""
