// A contender of the bench: a webhook with nothing but Go's standard library.
module bare

go 1.26.0
