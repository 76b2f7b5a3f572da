"""Names of the built-in methods: name -> module:attr."""

TABLE: dict[str, str] = {
    "maml": "robustmeta.methods.maml:Maml",
    "protonet": "robustmeta.methods.protonet:ProtoNet",
    "reptile": "robustmeta.methods.reptile:Reptile",
    "supervised": "robustmeta.methods.supervised:Supervised",
}
