"""The cost of machines and their data, as pure arithmetic over the catalogue and a quotation.

`rates` has the values (a rate, an unknown price, an amount), `quotation` reads the prices of an
old quotation, `book` joins them with the catalogue, `machines` finds the cheapest type that fits,
`bill` and `use` say what is paid for and how long, `estimate` and `parking` do the sums.
"""
