"""What the tests stand on: instances of Postern, name servers, receivers."""
