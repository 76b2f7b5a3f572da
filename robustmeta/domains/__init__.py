"""Names of the built-in domains: name -> module:attr."""

TABLE: dict[str, str] = {
    "digits": "robustmeta.domains.digits:Digits",
    "folder": "robustmeta.domains.folder:Folder",
    "glyphs": "robustmeta.domains.glyphs:Glyphs",
    "omniglot": "robustmeta.domains.omniglot:Omniglot",
    "split_folder": "robustmeta.domains.split_folder:SplitFolder",
}
