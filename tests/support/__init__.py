"""What the tests share: FAKES, stand-ins, documents and the starting of real tools. No test imports another test."""
