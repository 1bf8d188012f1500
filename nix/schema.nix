# Typed options from a JSON Schema, as pydantic writes it: { lib, schema }: { type, options, pruned }.
# What a schema cannot say (a rule over two keys) the monitor checks when it starts.
{ lib, schema }:
let
  inherit (lib) types;

  # What a "$ref" stands for.
  resolve = node:
    if node ? "$ref" then schema."$defs".${lib.removePrefix "#/$defs/" node."$ref"} // removeAttrs node [ "$ref" ]
    else if node ? allOf then resolve (builtins.head node.allOf // removeAttrs node [ "allOf" ])
    else node;

  isNull = node: (node.type or "") == "null";

  # Bounds, as { says, holds } each.
  bounds = node:
    lib.optional (node ? minimum) { says = "at least ${toString node.minimum}"; holds = x: x >= node.minimum; }
    ++ lib.optional (node ? maximum) { says = "at most ${toString node.maximum}"; holds = x: x <= node.maximum; }
    ++ lib.optional (node ? exclusiveMinimum) { says = "more than ${toString node.exclusiveMinimum}"; holds = x: x > node.exclusiveMinimum; }
    ++ lib.optional (node ? exclusiveMaximum) { says = "less than ${toString node.exclusiveMaximum}"; holds = x: x < node.exclusiveMaximum; };

  bounded = node: type:
    let rules = bounds node; in
    if rules == [ ] then type
    else
      types.addCheck type (x: builtins.all (rule: rule.holds x) rules) // {
        description = "${type.description}, ${lib.concatStringsSep ", " (map (rule: rule.says) rules)}";
      };

  # Nix knows POSIX's expressions; what needs others the monitor checks.
  matching = node: type:
    let
      pattern = builtins.replaceStrings [ "\\d" "\\w" ] [ "[0-9]" "[A-Za-z0-9_]" ] (node.pattern or "");
      inner = builtins.match "\\^(.*)\\$" pattern;
    in
    if inner == null || builtins.match ".*([(][?]|\\\\[A-Za-z]).*" pattern != null then type
    else types.addCheck type (x: builtins.match (builtins.head inner) x != null) // {
      description = "${type.description} matching ${builtins.head inner}";
    };

  # Whether a table may have keys of any name, of one type.
  hasMore = node: builtins.isAttrs (node.additionalProperties or null);

  table = node: defaults: types.submodule (
    { options = options node defaults; }
    // lib.optionalAttrs (hasMore node) { freeformType = types.attrsOf (type node.additionalProperties { }); }
  );

  byName = {
    boolean = _: types.bool;
    integer = node: bounded node types.int;
    number = node: bounded node (types.either types.int types.float);
    string = node: matching node types.str;
    array = node: types.listOf (type node.items { });
    object = node: types.attrsOf (if hasMore node then type node.additionalProperties { } else types.anything);
  };

  # The type of a value; `defaults` are those of a table's keys, where they differ from its own.
  type = unresolved: defaults:
    let
      node = resolve unresolved;
      some = builtins.filter (each: !isNull each) node.anyOf;
      one = map (each: type each { }) some;
      rest = if builtins.length one == 1 then builtins.head one else types.oneOf one;
    in
    if node ? const then types.enum [ node.const ]
    else if node ? enum then types.enum node.enum
    else if node ? anyOf then (if builtins.any isNull node.anyOf then types.nullOr rest else rest)
    else if node ? properties then table node defaults
    else byName.${node.type} node;

  # What is left out without a default in the schema: pydantic's default_factory.
  empty = { array = [ ]; object = { }; };

  options = unresolved: defaults:
    let
      table = resolve unresolved;
      required = builtins.filter (key: !(defaults ? ${key})) (table.required or [ ]);
      option = key: property:
        let
          node = resolve property;
          default = defaults.${key} or (defaultOf property);
          isTable = node ? properties;
        in
        lib.mkOption ({
          type = type property (if isTable then default else { });
          description = node.description or "See docs/config.md.";
        } // lib.optionalAttrs (!builtins.elem key required) {
          default = if isTable then { } else default;
        });
    in
    builtins.mapAttrs option table.properties;

  # What a key is where it is not written.
  defaultOf = property:
    let node = resolve property; in
    property.default or node.default or (
      if node ? properties then builtins.mapAttrs (_: defaultOf) node.properties else empty.${node.type or ""} or null
    );

  # Values without those that are so anyway, and without null, which TOML has not. A table that is written at all has the
  # defaults of its own kind again.
  pruned = unresolved: value:
    let
      node = resolve unresolved;
      some = builtins.filter (each: !isNull each) (node.anyOf or [ ]);
      property = key: node.properties.${key} or node.additionalProperties;
      says = key: each:
        each != null && (builtins.elem key (node.required or [ ]) || !(node.properties ? ${key}) || each != defaultOf (property key));
    in
    if builtins.length some == 1 then pruned (builtins.head some) value
    else if builtins.isAttrs value && node ? properties then
      builtins.mapAttrs (key: pruned (property key)) (lib.filterAttrs says value)
    else if builtins.isAttrs value && hasMore node then
      builtins.mapAttrs (_: pruned node.additionalProperties) value
    else if builtins.isList value && node ? items then map (pruned node.items) value
    else value;
in
{
  inherit type;
  options = options schema { };
  pruned = pruned schema;
}
