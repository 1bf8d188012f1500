# As much of nixpkgs' lib as nix/ uses, for machines without nixpkgs: the same names, arguments and priorities, and a
# module system that refuses what the real one refuses. With NIXPKGS_LIB the tests use the real one instead.
let
  inherit (builtins) all attrNames attrValues concatMap elemAt filter foldl' hasAttr head isAttrs isBool isFloat isInt
    isList isString length listToAttrs mapAttrs match replaceStrings sort stringLength substring tail toString;

  unique = foldl' (seen: each: if builtins.elem each seen then seen else seen ++ [ each ]) [ ];
  typeOf = value: if isAttrs value then value._type or "" else "";
  dotted = path: lib.concatStringsSep "." path;
  is = kind: value: typeOf value == kind;

  # -- definitions: mkIf and mkMerge away, then the best priority, then the order ----------------------

  discharged = value:
    if is "merge" value then concatMap discharged value.contents
    else if is "if" value then (if value.condition then discharged value.content else [ ])
    else [ value ];

  # mkIf and mkOverride around a table are around each of its values.
  pushed = value:
    if is "merge" value then concatMap pushed value.contents
    else if is "if" value || is "override" value then
      map (mapAttrs (_: content: value // { inherit content; })) (pushed value.content)
    else [ value ];

  priority = value: if is "override" value then value.priority else 100;
  order = value: if is "order" value then value.priority else 1000;
  content = kind: value: if is kind value then value.content else value;

  counting = raw:
    let
      defined = concatMap discharged raw;
      best = foldl' (least: each: if priority each < least then priority each else least) 9999 defined;
      ranked = concatMap (each: discharged (content "override" each)) (filter (each: priority each == best) defined);
    in
    map (content "order") (sort (a: b: order a < order b) ranked);

  merged = path: type: raw:
    let
      values = counting raw;
      wrong = filter (value: !type.check value) values;
    in
    if wrong == [ ] then type.merge path values
    else throw "A definition for option `${dotted path}' is not of type `${type.description}'.";

  one = path: values:
    if all (each: each == head values) values then head values
    else throw "The option `${dotted path}' has conflicting definition values.";

  # -- types ------------------------------------------------------------------------------------------

  plain = description: check: { inherit description check; merge = one; };

  types = rec {
    bool = plain "boolean" isBool;
    int = plain "signed integer" isInt;
    float = plain "floating point number" isFloat;
    str = plain "string" isString;
    lines = str // { merge = _: lib.concatStringsSep "\n"; };
    path = plain "path" (value: builtins.isPath value || (isString value && substring 0 1 value == "/") || value ? outPath);
    package = plain "package" (value: value ? outPath);
    enum = values: plain "one of ${builtins.toJSON values}" (value: builtins.elem value values);
    anything = {
      description = "anything";
      check = _: true;
      merge = path: values: if length values > 1 && all isAttrs values then (attrsOf anything).merge path values else one path values;
    };
    addCheck = type: more: type // { check = value: type.check value && more value; };
    nullOr = type: {
      description = "null or ${type.description}";
      check = value: value == null || type.check value;
      merge = path: values:
        if all (value: value == null) values then null
        else if builtins.elem null values then throw "The option `${dotted path}' is defined both null and not null."
        else type.merge path values;
    };
    either = a: b: {
      description = "${a.description} or ${b.description}";
      check = value: a.check value || b.check value;
      merge = path: values:
        if all a.check values then a.merge path values
        else if all b.check values then b.merge path values
        else throw "The option `${dotted path}' has definitions of more than one type.";
    };
    oneOf = kinds: foldl' either (head kinds) (tail kinds);
    listOf = type: {
      description = "list of ${type.description}";
      check = isList;
      merge = path: values: concatMap (each: let found = counting [ each ]; in if found == [ ] then [ ] else [ (merged path type [ each ]) ]) (builtins.concatLists values);
    };
    attrsOf = type: {
      description = "attribute set of ${type.description}";
      check = isAttrs;
      merge = path: values:
        let
          raw = name: map (each: each.${name}) (filter (hasAttr name) values);
          there = filter (name: counting (raw name) != [ ]) (unique (concatMap attrNames values));
        in
        lib.genAttrs there (name: merged (path ++ [ name ]) type (raw name));
    };
    submodule = module: {
      description = "submodule";
      check = isAttrs;
      merge = prefix: values:
        (evalModules { inherit prefix; modules = [ module ] ++ map (config: { inherit config; }) values; }).config;
    };
  };

  # -- modules ----------------------------------------------------------------------------------------

  evalModules = { modules, specialArgs ? { }, prefix ? [ ] }:
    let
      arguments = specialArgs // { inherit lib options; config = evaluated; };
      load = module:
        let
          loaded = if builtins.isPath module then import module else module;
          value = if builtins.isFunction loaded then loaded arguments else loaded;
          whole = value ? config || value ? options || value ? imports || value ? freeformType;
        in
        concatMap load (value.imports or [ ]) ++ [ (if whole then { options = { }; config = { }; } // value else { options = { }; config = value; }) ];

      loaded = concatMap load modules;
      options = foldl' (declared prefix) { } (map (each: each.options) loaded);
      definitions = concatMap (each: pushed each.config) loaded;
      free = filter (each: each ? freeformType) loaded;
      others = map (each: removeAttrs each (attrNames options)) definitions;
      evaluated =
        if free == [ ] then tree prefix options definitions
        else merged prefix (head free).freeformType others
          // tree prefix options (map (each: builtins.intersectAttrs options each) definitions);
    in
    { config = evaluated; inherit options; };

  declared = path: there: more:
    there // mapAttrs
      (name: value:
        if !(there ? ${name}) then value
        else if is "option" value || is "option" there.${name} then throw "The option `${dotted (path ++ [ name ])}' is already declared."
        else declared (path ++ [ name ]) there.${name} value)
      more;

  tree = path: options: definitions:
    let
      unknown = filter (name: !(options ? ${name})) (concatMap attrNames definitions);
      raw = name: map (each: each.${name}) (filter (hasAttr name) definitions);
      value = name: option:
        let here = path ++ [ name ]; in
        if is "option" option then evaluate here option (raw name)
        else tree here option (concatMap pushed (raw name));
    in
    if unknown != [ ] then throw "The option `${dotted (path ++ [ (head unknown) ])}' does not exist."
    else mapAttrs value options;

  evaluate = path: option: raw:
    let all' = raw ++ (if option ? default then [ (lib.mkOptionDefault option.default) ] else [ ]); in
    if concatMap discharged all' == [ ] then throw "The option `${dotted path}' is used but not defined."
    else if option.readOnly or false && raw != [ ] then throw "The option `${dotted path}' is read-only."
    else merged path option.type all';

  # -- the rest ---------------------------------------------------------------------------------------

  lib = {
    inherit evalModules types concatMap;
    inherit (builtins) concatStringsSep listToAttrs;

    mkOption = option: option // { _type = "option"; };
    mkEnableOption = what: lib.mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkDefault = lib.mkOverride 1000;
    mkOptionDefault = lib.mkOverride 1500;
    mkForce = lib.mkOverride 50;
    mkOrder = priority: content: { _type = "order"; inherit priority content; };
    mkBefore = lib.mkOrder 500;
    mkAfter = lib.mkOrder 1500;
    literalExpression = text: { _type = "literalExpression"; inherit text; };
    literalMD = text: { _type = "literalMD"; inherit text; };

    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalAttrs = condition: attrs: if condition then attrs else { };
    optionalString = condition: text: if condition then text else "";
    toList = value: if isList value then value else [ value ];
    genAttrs = names: function: listToAttrs (map (name: { inherit name; value = function name; }) names);
    filterAttrs = keep: attrs: removeAttrs attrs (filter (name: !keep name attrs.${name}) (attrNames attrs));
    mapAttrsToList = function: attrs: map (name: function name attrs.${name}) (attrNames attrs);
    setAttrByPath = path: value: if path == [ ] then value else { ${head path} = lib.setAttrByPath (tail path) value; };
    attrByPath = path: default: attrs:
      if path == [ ] then attrs
      else if attrs ? ${head path} then lib.attrByPath (tail path) default attrs.${head path}
      else default;
    recursiveUpdate = old: new:
      if !isAttrs old || !isAttrs new then new
      else old // mapAttrs (name: value: if old ? ${name} then lib.recursiveUpdate old.${name} value else value) new;

    concatStrings = lib.concatStringsSep "";
    concatMapStringsSep = between: function: values: lib.concatStringsSep between (map function values);
    splitString = between: text: filter isString (builtins.split (lib.escaped between) text);
    escaped = text: replaceStrings [ "." "+" "*" "?" "|" ] [ "\\." "\\+" "\\*" "\\?" "\\|" ] text;
    removePrefix = start: text: if substring 0 (stringLength start) text == start then substring (stringLength start) (-1) text else text;
    hasInfix = part: text: replaceStrings [ part ] [ "" ] text != text;
    toLower = text: replaceStrings (lib.stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (lib.stringToCharacters "abcdefghijklmnopqrstuvwxyz") text;
    stringToCharacters = text: builtins.genList (i: substring i 1 text) (stringLength text);
    versionAtLeast = a: b: builtins.compareVersions a b >= 0;
    getName = package: package.pname or (builtins.parseDrvName package.name).name;
    importJSON = file: builtins.fromJSON (builtins.readFile file);
    importTOML = file: builtins.fromTOML (builtins.readFile file);
    cleanSource = source: source;
    licenses.mit = "MIT";
    platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
  };
in
lib
