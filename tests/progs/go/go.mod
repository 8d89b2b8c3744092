module smcmesh.io/tests/goecho

go 1.24
