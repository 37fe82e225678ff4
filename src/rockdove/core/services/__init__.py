"""One module per kind of request, named as in im.proto."""
