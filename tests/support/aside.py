"""For tests beside others that set CUSTOMER_ENV themselves, and so replace what scripts/test.sh gives them."""

#: Threads that wait leave their cores to the other tests.
PASSIVE = "OMP_WAIT_POLICY=passive"
