-- Begin a transaction that spans several units.
BEGIN
