"""Names of the built-in methods: name -> module:attr."""

TABLE: dict[str, str] = {
    "anil": "robustmeta.methods.anil:Anil",
    "boil": "robustmeta.methods.boil:Boil",
    "cnp": "robustmeta.methods.cnp:CnpLearner",
    "fomaml": "robustmeta.methods.fomaml:FoMaml",
    "lstm": "robustmeta.methods.lstm:LstmLearner",
    "maml": "robustmeta.methods.maml:Maml",
    "mamlpp": "robustmeta.methods.mamlpp:MamlPp",
    "mann": "robustmeta.methods.mann:MannLearner",
    "matching": "robustmeta.methods.matching:MatchingNet",
    "meta_sgd": "robustmeta.methods.meta_sgd:MetaSgd",
    "metaoptnet": "robustmeta.methods.metaoptnet:MetaOptNet",
    "protonet": "robustmeta.methods.protonet:ProtoNet",
    "r2d2": "robustmeta.methods.r2d2:R2D2",
    "relation": "robustmeta.methods.relation:RelationNet",
    "reptile": "robustmeta.methods.reptile:Reptile",
    "scratch": "robustmeta.methods.scratch:Scratch",
    "snail": "robustmeta.methods.snail:SnailLearner",
    "supervised": "robustmeta.methods.supervised:Supervised",
    "supervised_cosine": "robustmeta.methods.supervised_cosine:SupervisedCosine",
}
