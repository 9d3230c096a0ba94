//! Aggregations of the documents that a search selects.
use crate::form::{Form, Key, Never, OF_A_MODEL, granted, key, plain};
use crate::scope::Grant;

/// Which values an aggregation reads.
pub(crate) const COMMON: &[Key] = &[
    plain("field"),
    plain("missing"),
    plain("format"),
    plain("value_type"),
    plain("time_zone"),
    granted("script", Form::Script, Grant::Scripts),
];

pub(crate) const NEVER: &[Never] = &[("inference", OF_A_MODEL)];

const ORDER: Form = Form::Each(&Form::Named(&Form::Scalar));
// Terms that no selected document has come with a count of zero.
const AT_LEAST: Key = key("min_doc_count", Form::Count);
const CHOICE: Form = Form::Each(&Form::ScalarOr(&Form::Keys(&[plain("partition"), plain("num_partitions")])));
const BOUNDS: Form = Form::Keys(&[plain("min"), plain("max")]);
const SIDE: Form = Form::Keys(&[
    plain("field"),
    plain("missing"),
    key("filter", Form::Query),
    granted("script", Form::Script, Grant::Scripts),
]);
const RANGES: Key =
    key("ranges", Form::Each(&Form::Keys(&[plain("key"), plain("from"), plain("to"), plain("mask")])));
const DIGEST: Form = Form::Keys(&[plain("compression"), plain("execution_hint")]);
const HDR: Form = Form::Keys(&[plain("number_of_significant_value_digits")]);
const GRID: Form =
    Form::Measure(&[plain("precision"), plain("size"), plain("shard_size"), key("bounds", Form::Place)]);
const VALUES: Form = Form::Measure(&[]);

/// Reads the buckets of other aggregations.
const OF_BUCKETS: Form = Form::Keys(&[plain("buckets_path"), plain("gap_policy"), plain("format")]);

const HISTOGRAM: &[Key] = &[
    plain("interval"),
    plain("fixed_interval"),
    plain("calendar_interval"),
    plain("offset"),
    plain("keyed"),
    // Empty intervals between those of selected documents tell nothing.
    plain("min_doc_count"),
    key("order", ORDER),
    key("extended_bounds", BOUNDS),
    key("hard_bounds", BOUNDS),
];

/// The sources of a composite's keys.
const SOURCE: Form = Form::Keys(&[
    key("terms", Form::Measure(SOURCE_OPTIONS)),
    key("histogram", Form::Measure(SOURCE_OPTIONS)),
    key("date_histogram", Form::Measure(SOURCE_OPTIONS)),
    key("geotile_grid", Form::Measure(SOURCE_OPTIONS)),
]);
const SOURCE_OPTIONS: &[Key] = &[
    plain("order"),
    plain("missing_bucket"),
    plain("missing_order"),
    plain("interval"),
    plain("fixed_interval"),
    plain("calendar_interval"),
    plain("offset"),
    plain("precision"),
    key("bounds", Form::Place),
];

/// Statistics that compare with the whole index.
const SIGNIFICANT: Form = Form::Measure(&[
    plain("size"),
    plain("shard_size"),
    AT_LEAST,
    plain("shard_min_doc_count"),
    key("include", CHOICE),
    key("exclude", CHOICE),
    plain("execution_hint"),
    key("background_filter", Form::Query),
    plain("filter_duplicate_text"),
    key("source_fields", Form::Scalars),
    key("jlh", Form::Keys(&[])),
    key("mutual_information", Form::Keys(&[plain("include_negatives"), plain("background_is_superset")])),
    key("chi_square", Form::Keys(&[plain("include_negatives"), plain("background_is_superset")])),
    key("gnd", Form::Keys(&[plain("background_is_superset")])),
    key("percentage", Form::Keys(&[])),
    granted("script_heuristic", Form::Keys(&[key("script", Form::Script)]), Grant::Scripts),
]);

pub(crate) const AGGREGATIONS: &[Key] = &[
    key("adjacency_matrix", Form::Keys(&[key("filters", Form::Named(&Form::Query)), plain("separator")])),
    key("auto_date_histogram", Form::Measure(&[plain("buckets"), plain("minimum_interval"), plain("keyed")])),
    key("avg", VALUES),
    key("avg_bucket", OF_BUCKETS),
    key("boxplot", Form::Measure(&[plain("compression"), plain("execution_hint")])),
    granted(
        "bucket_script",
        Form::Keys(&[
            key("buckets_path", Form::ScalarOr(&Form::Named(&Form::Scalar))),
            key("script", Form::Script),
            plain("gap_policy"),
            plain("format"),
        ]),
        Grant::Scripts,
    ),
    granted(
        "bucket_selector",
        Form::Keys(&[
            key("buckets_path", Form::ScalarOr(&Form::Named(&Form::Scalar))),
            key("script", Form::Script),
            plain("gap_policy"),
        ]),
        Grant::Scripts,
    ),
    key(
        "bucket_sort",
        Form::Keys(&[key("sort", Form::Sort), plain("from"), plain("size"), plain("gap_policy")]),
    ),
    key(
        "cardinality",
        Form::Measure(&[plain("precision_threshold"), plain("rehash"), plain("execution_hint")]),
    ),
    granted("children", Form::Keys(&[plain("type")]), Grant::Joins),
    key(
        "composite",
        Form::Keys(&[
            plain("size"),
            key("sources", Form::Each(&Form::Named(&SOURCE))),
            key("after", Form::Named(&Form::Scalar)),
        ]),
    ),
    key("cumulative_cardinality", OF_BUCKETS),
    key("cumulative_sum", OF_BUCKETS),
    key("date_histogram", Form::Measure(HISTOGRAM)),
    key("date_range", Form::Measure(&[RANGES, plain("keyed")])),
    key(
        "derivative",
        Form::Keys(&[plain("buckets_path"), plain("gap_policy"), plain("format"), plain("unit")]),
    ),
    key(
        "diversified_sampler",
        Form::Measure(&[plain("shard_size"), plain("max_docs_per_value"), plain("execution_hint")]),
    ),
    key("extended_stats", Form::Measure(&[plain("sigma")])),
    key(
        "extended_stats_bucket",
        Form::Keys(&[plain("buckets_path"), plain("gap_policy"), plain("format"), plain("sigma")]),
    ),
    key("filter", Form::Query),
    key(
        "filters",
        Form::Keys(&[
            key("filters", Form::Filters),
            plain("other_bucket"),
            plain("other_bucket_key"),
            plain("keyed"),
        ]),
    ),
    key("geo_bounds", Form::Measure(&[plain("wrap_longitude")])),
    key("geo_centroid", VALUES),
    key(
        "geo_distance",
        Form::Measure(&[
            key("origin", Form::Place),
            plain("unit"),
            plain("distance_type"),
            RANGES,
            plain("keyed"),
        ]),
    ),
    key("geohash_grid", GRID),
    key("geohex_grid", GRID),
    key("geotile_grid", GRID),
    granted("global", Form::Keys(&[]), Grant::WholeIndex),
    key("histogram", Form::Measure(HISTOGRAM)),
    key(
        "ip_prefix",
        Form::Measure(&[
            plain("prefix_length"),
            plain("is_ipv6"),
            plain("append_prefix_length"),
            plain("keyed"),
            AT_LEAST,
        ]),
    ),
    key("ip_range", Form::Measure(&[RANGES, plain("keyed")])),
    key(
        "matrix_stats",
        Form::Keys(&[
            key("fields", Form::Scalars),
            plain("mode"),
            key("missing", Form::Named(&Form::Scalar)),
        ]),
    ),
    key("max", VALUES),
    key("max_bucket", OF_BUCKETS),
    key("median_absolute_deviation", Form::Measure(&[plain("compression"), plain("execution_hint")])),
    key("min", VALUES),
    key("min_bucket", OF_BUCKETS),
    key("missing", VALUES),
    granted(
        "moving_fn",
        Form::Keys(&[
            plain("buckets_path"),
            plain("window"),
            plain("shift"),
            plain("gap_policy"),
            plain("format"),
            key("script", Form::Script),
        ]),
        Grant::Scripts,
    ),
    key("moving_percentiles", Form::Keys(&[plain("buckets_path"), plain("window"), plain("shift")])),
    key(
        "multi_terms",
        Form::Keys(&[
            key("terms", Form::Each(&VALUES)),
            plain("size"),
            plain("shard_size"),
            AT_LEAST,
            plain("shard_min_doc_count"),
            plain("show_term_doc_count_error"),
            plain("collect_mode"),
            key("order", ORDER),
        ]),
    ),
    key("nested", Form::Keys(&[plain("path")])),
    key("normalize", Form::Keys(&[plain("buckets_path"), plain("method"), plain("format")])),
    granted("parent", Form::Keys(&[plain("type")]), Grant::Joins),
    key(
        "percentile_ranks",
        Form::Measure(&[
            key("values", Form::Scalars),
            plain("keyed"),
            key("tdigest", DIGEST),
            key("hdr", HDR),
        ]),
    ),
    key(
        "percentiles",
        Form::Measure(&[
            key("percents", Form::Scalars),
            plain("keyed"),
            key("tdigest", DIGEST),
            key("hdr", HDR),
        ]),
    ),
    key(
        "percentiles_bucket",
        Form::Keys(&[
            plain("buckets_path"),
            plain("gap_policy"),
            plain("format"),
            key("percents", Form::Scalars),
            plain("keyed"),
        ]),
    ),
    key("range", Form::Measure(&[RANGES, plain("keyed")])),
    key("rate", Form::Measure(&[plain("unit"), plain("mode")])),
    key("reverse_nested", Form::Keys(&[plain("path")])),
    key("sampler", Form::Keys(&[plain("shard_size")])),
    granted(
        "scripted_metric",
        Form::Keys(&[
            key("init_script", Form::Script),
            key("map_script", Form::Script),
            key("combine_script", Form::Script),
            key("reduce_script", Form::Script),
            key("params", Form::Data),
        ]),
        Grant::Scripts,
    ),
    key(
        "serial_diff",
        Form::Keys(&[plain("buckets_path"), plain("gap_policy"), plain("format"), plain("lag")]),
    ),
    granted("significant_terms", SIGNIFICANT, Grant::WholeIndex),
    granted("significant_text", SIGNIFICANT, Grant::WholeIndex),
    key("stats", VALUES),
    key("stats_bucket", OF_BUCKETS),
    key("string_stats", Form::Measure(&[plain("show_distribution")])),
    key("sum", VALUES),
    key("sum_bucket", OF_BUCKETS),
    key("t_test", Form::Keys(&[key("a", SIDE), key("b", SIDE), plain("type")])),
    key(
        "terms",
        Form::Measure(&[
            plain("size"),
            plain("shard_size"),
            AT_LEAST,
            plain("shard_min_doc_count"),
            plain("show_term_doc_count_error"),
            plain("collect_mode"),
            plain("execution_hint"),
            key("order", ORDER),
            key("include", CHOICE),
            key("exclude", CHOICE),
        ]),
    ),
    key("top_hits", Form::Keys(crate::body::TOP_HITS)),
    key(
        "top_metrics",
        Form::Keys(&[
            key("metrics", Form::Each(&Form::Keys(&[plain("field"), plain("missing")]))),
            key("sort", Form::Sort),
            plain("size"),
        ]),
    ),
    key("value_count", VALUES),
    key(
        "variable_width_histogram",
        Form::Measure(&[plain("buckets"), plain("shard_size"), plain("initial_buffer")]),
    ),
    key(
        "weighted_avg",
        Form::Keys(&[key("value", SIDE), key("weight", SIDE), plain("format"), plain("value_type")]),
    ),
];
