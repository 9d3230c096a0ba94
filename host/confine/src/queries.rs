//! Queries that select documents by their own content alone.
use crate::form::{Form, Key, Never, OF_A_MODEL, PAST_FILTER, UNREADABLE, granted, key, plain};
use crate::scope::Grant;

/// Whether there is a query of this name, allowed or not.
pub fn is_query(name: &str) -> bool {
    QUERIES.iter().any(|query| query.name == name) || NEVER.iter().any(|(never, _)| *never == name)
}

/// The names of the queries that are listed.
pub fn queries() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().map(|query| query.name)
}

/// Part of every query.
pub(crate) const COMMON: &[Key] = &[plain("boost"), plain("_name")];

/// Rewriting by terms that the whole index has first or most.
pub(crate) const REWRITES: [&str; 5] = [
    "constant_score",
    "constant_score_boolean",
    "constant_score_blended",
    "constant_score_auto",
    "scoring_boolean",
];

pub(crate) const NEVER: &[Never] = &[
    ("wrapper", UNREADABLE),
    ("template", UNREADABLE),
    ("semantic", OF_A_MODEL),
    ("sparse_vector", OF_A_MODEL),
    ("text_expansion", OF_A_MODEL),
    ("weighted_tokens", OF_A_MODEL),
    ("neural", OF_A_MODEL),
    ("neural_sparse", OF_A_MODEL),
    ("pinned", OF_A_MODEL),
    ("rule", OF_A_MODEL),
    ("rule_query", OF_A_MODEL),
    ("knn", PAST_FILTER),
    ("hybrid", PAST_FILTER),
];

// A limit on expanded terms takes the first terms of the whole index, so a match would tell which terms it has.
const EXPANSIONS: Key = granted("max_expansions", Form::Scalar, Grant::WholeIndex);
const FUZZY_EXPANSIONS: Key = granted("fuzzy_max_expansions", Form::Scalar, Grant::WholeIndex);
const CUTOFF: Key = granted("cutoff_frequency", Form::Scalar, Grant::WholeIndex);
const REWRITE: Key = key("rewrite", Form::Rewrite);
const FUZZY_REWRITE: Key = key("fuzzy_rewrite", Form::Rewrite);

const PATTERN: Form = Form::Fields(
    &Form::ScalarOr(&Form::Options(&[
        plain("value"),
        plain("wildcard"),
        plain("case_insensitive"),
        plain("flags"),
        plain("flags_value"),
        plain("max_determinized_states"),
        REWRITE,
    ])),
    COMMON,
);

const INNER_HITS: Form = Form::Keys(crate::body::INNER_HITS);

const DECAY: Form = Form::Fields(
    &Form::Keys(&[key("origin", Form::Place), plain("scale"), plain("offset"), plain("decay")]),
    &[plain("multi_value_mode")],
);
const SCRIPT_SCORE: Key = granted("script_score", Form::Keys(&[key("script", Form::Script)]), Grant::Scripts);
const FACTOR: Form = Form::Keys(&[plain("field"), plain("factor"), plain("modifier"), plain("missing")]);
const RANDOM: Form = Form::Keys(&[plain("seed"), plain("field")]);

const SHAPE: Form = Form::Fields(
    &Form::Keys(&[
        key("shape", Form::Place),
        plain("relation"),
        plain("strategy"),
        granted(
            "indexed_shape",
            Form::Keys(&[key("index", Form::Index), plain("id"), plain("path"), plain("routing")]),
            Grant::Lookups,
        ),
    ]),
    &[plain("boost"), plain("_name"), plain("ignore_unmapped")],
);

pub(crate) const QUERIES: &[Key] = &[
    key(
        "bool",
        Form::Options(&[
            key("must", Form::Queries),
            key("filter", Form::Queries),
            key("should", Form::Queries),
            key("must_not", Form::Queries),
            plain("minimum_should_match"),
            plain("adjust_pure_negative"),
        ]),
    ),
    key(
        "boosting",
        Form::Options(&[key("positive", Form::Query), key("negative", Form::Query), plain("negative_boost")]),
    ),
    key(
        "combined_fields",
        Form::Options(&[
            plain("query"),
            key("fields", Form::Scalars),
            plain("operator"),
            plain("minimum_should_match"),
            plain("zero_terms_query"),
            plain("auto_generate_synonyms_phrase_query"),
        ]),
    ),
    key("constant_score", Form::Options(&[key("filter", Form::Query)])),
    key("dis_max", Form::Options(&[key("queries", Form::Queries), plain("tie_breaker")])),
    key("distance_feature", Form::Options(&[plain("field"), key("origin", Form::Place), plain("pivot")])),
    key("exists", Form::Options(&[plain("field")])),
    key("field_masking_span", Form::Options(&[key("query", Form::Query), plain("field")])),
    key(
        "function_score",
        Form::Options(&[
            key("query", Form::Query),
            key(
                "functions",
                Form::Each(&Form::Keys(&[
                    key("filter", Form::Query),
                    plain("weight"),
                    key("field_value_factor", FACTOR),
                    key("random_score", RANDOM),
                    key("gauss", DECAY),
                    key("exp", DECAY),
                    key("linear", DECAY),
                    SCRIPT_SCORE,
                ])),
            ),
            plain("weight"),
            key("field_value_factor", FACTOR),
            key("random_score", RANDOM),
            key("gauss", DECAY),
            key("exp", DECAY),
            key("linear", DECAY),
            SCRIPT_SCORE,
            plain("score_mode"),
            plain("boost_mode"),
            plain("max_boost"),
            // Scores count how often the whole index has a term.
            granted("min_score", Form::Scalar, Grant::WholeIndex),
        ]),
    ),
    key(
        "fuzzy",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[
                plain("value"),
                plain("fuzziness"),
                plain("prefix_length"),
                plain("transpositions"),
                EXPANSIONS,
                REWRITE,
            ])),
            COMMON,
        ),
    ),
    key(
        "geo_bounding_box",
        Form::Fields(
            &Form::Place,
            &[
                plain("boost"),
                plain("_name"),
                plain("type"),
                plain("validation_method"),
                plain("ignore_unmapped"),
            ],
        ),
    ),
    key(
        "geo_distance",
        Form::Fields(
            &Form::Place,
            &[
                plain("boost"),
                plain("_name"),
                plain("distance"),
                plain("distance_type"),
                plain("unit"),
                plain("validation_method"),
                plain("ignore_unmapped"),
            ],
        ),
    ),
    key(
        "geo_polygon",
        Form::Fields(
            &Form::Keys(&[key("points", Form::Place)]),
            &[plain("boost"), plain("_name"), plain("validation_method"), plain("ignore_unmapped")],
        ),
    ),
    key("geo_shape", SHAPE),
    granted(
        "has_child",
        Form::Options(&[
            plain("type"),
            key("query", Form::Query),
            plain("score_mode"),
            plain("min_children"),
            plain("max_children"),
            plain("ignore_unmapped"),
            key("inner_hits", INNER_HITS),
        ]),
        Grant::Joins,
    ),
    granted(
        "has_parent",
        Form::Options(&[
            plain("parent_type"),
            key("query", Form::Query),
            plain("score"),
            plain("ignore_unmapped"),
            key("inner_hits", INNER_HITS),
        ]),
        Grant::Joins,
    ),
    key("ids", Form::Options(&[key("values", Form::Scalars)])),
    key("intervals", Form::Fields(&Form::Interval, COMMON)),
    key(
        "match",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[
                plain("query"),
                plain("operator"),
                plain("analyzer"),
                plain("fuzziness"),
                plain("fuzzy_transpositions"),
                plain("prefix_length"),
                plain("lenient"),
                plain("minimum_should_match"),
                plain("zero_terms_query"),
                plain("auto_generate_synonyms_phrase_query"),
                FUZZY_REWRITE,
                EXPANSIONS,
                CUTOFF,
            ])),
            COMMON,
        ),
    ),
    key("match_all", Form::Options(&[])),
    key(
        "match_bool_prefix",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[
                plain("query"),
                plain("operator"),
                plain("analyzer"),
                plain("fuzziness"),
                plain("fuzzy_transpositions"),
                plain("prefix_length"),
                plain("minimum_should_match"),
                FUZZY_REWRITE,
                EXPANSIONS,
            ])),
            COMMON,
        ),
    ),
    key("match_none", Form::Options(&[])),
    key(
        "match_phrase",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[
                plain("query"),
                plain("analyzer"),
                plain("slop"),
                plain("zero_terms_query"),
            ])),
            COMMON,
        ),
    ),
    key(
        "match_phrase_prefix",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[
                plain("query"),
                plain("analyzer"),
                plain("slop"),
                plain("zero_terms_query"),
                EXPANSIONS,
            ])),
            COMMON,
        ),
    ),
    // Which terms it looks for depends on how often the whole index has them.
    granted(
        "more_like_this",
        Form::Options(&[
            key("fields", Form::Scalars),
            key("like", Form::Likes),
            key("unlike", Form::Likes),
            plain("max_query_terms"),
            plain("min_term_freq"),
            plain("min_doc_freq"),
            plain("max_doc_freq"),
            plain("min_word_length"),
            plain("max_word_length"),
            key("stop_words", Form::Scalars),
            plain("analyzer"),
            plain("minimum_should_match"),
            plain("fail_on_unsupported_field"),
            plain("boost_terms"),
            plain("include"),
        ]),
        Grant::WholeIndex,
    ),
    key(
        "multi_match",
        Form::Options(&[
            plain("query"),
            key("fields", Form::Scalars),
            plain("type"),
            plain("operator"),
            plain("analyzer"),
            plain("fuzziness"),
            plain("fuzzy_transpositions"),
            plain("prefix_length"),
            plain("slop"),
            plain("tie_breaker"),
            plain("lenient"),
            plain("minimum_should_match"),
            plain("zero_terms_query"),
            plain("auto_generate_synonyms_phrase_query"),
            FUZZY_REWRITE,
            EXPANSIONS,
            CUTOFF,
        ]),
    ),
    key(
        "nested",
        Form::Options(&[
            plain("path"),
            key("query", Form::Query),
            plain("score_mode"),
            plain("ignore_unmapped"),
            key("inner_hits", INNER_HITS),
        ]),
    ),
    granted(
        "parent_id",
        Form::Options(&[plain("type"), plain("id"), plain("ignore_unmapped")]),
        Grant::Joins,
    ),
    key(
        "percolate",
        Form::Options(&[
            plain("field"),
            key("document", Form::Data),
            key("documents", Form::Data),
            plain("name"),
            granted("index", Form::Index, Grant::Lookups),
            granted("id", Form::Scalar, Grant::Lookups),
            granted("routing", Form::Scalar, Grant::Lookups),
            granted("preference", Form::Scalar, Grant::Lookups),
            granted("version", Form::Scalar, Grant::Lookups),
        ]),
    ),
    key("prefix", PATTERN),
    key(
        "query_string",
        Form::Options(&[
            plain("query"),
            plain("default_field"),
            key("fields", Form::Scalars),
            plain("type"),
            plain("default_operator"),
            plain("analyzer"),
            plain("quote_analyzer"),
            plain("quote_field_suffix"),
            plain("allow_leading_wildcard"),
            plain("analyze_wildcard"),
            plain("auto_generate_synonyms_phrase_query"),
            plain("enable_position_increments"),
            plain("escape"),
            plain("fuzziness"),
            plain("fuzzy_prefix_length"),
            plain("fuzzy_transpositions"),
            plain("lenient"),
            plain("max_determinized_states"),
            plain("minimum_should_match"),
            plain("phrase_slop"),
            plain("tie_breaker"),
            plain("time_zone"),
            REWRITE,
            FUZZY_REWRITE,
            FUZZY_EXPANSIONS,
        ]),
    ),
    key(
        "range",
        Form::Fields(
            &Form::Options(&[
                plain("gte"),
                plain("gt"),
                plain("lte"),
                plain("lt"),
                plain("from"),
                plain("to"),
                plain("include_lower"),
                plain("include_upper"),
                plain("format"),
                plain("time_zone"),
                plain("relation"),
            ]),
            COMMON,
        ),
    ),
    key(
        "rank_feature",
        Form::Options(&[
            plain("field"),
            key("saturation", Form::Keys(&[plain("pivot")])),
            key("log", Form::Keys(&[plain("scaling_factor")])),
            key("sigmoid", Form::Keys(&[plain("pivot"), plain("exponent")])),
            key("linear", Form::Keys(&[])),
        ]),
    ),
    key("regexp", PATTERN),
    granted("script", Form::Options(&[key("script", Form::Script)]), Grant::Scripts),
    granted(
        "script_score",
        Form::Options(&[
            key("query", Form::Query),
            key("script", Form::Script),
            granted("min_score", Form::Scalar, Grant::WholeIndex),
        ]),
        Grant::Scripts,
    ),
    key("shape", SHAPE),
    key(
        "simple_query_string",
        Form::Options(&[
            plain("query"),
            key("fields", Form::Scalars),
            plain("default_operator"),
            plain("analyzer"),
            plain("analyze_wildcard"),
            plain("flags"),
            plain("lenient"),
            plain("minimum_should_match"),
            plain("quote_field_suffix"),
            plain("auto_generate_synonyms_phrase_query"),
            plain("fuzzy_prefix_length"),
            plain("fuzzy_transpositions"),
            FUZZY_EXPANSIONS,
        ]),
    ),
    key("span_containing", Form::Options(&[key("little", Form::Query), key("big", Form::Query)])),
    key("span_first", Form::Options(&[key("match", Form::Query), plain("end")])),
    key("span_multi", Form::Options(&[key("match", Form::Query)])),
    key("span_near", Form::Options(&[key("clauses", Form::Queries), plain("slop"), plain("in_order")])),
    key(
        "span_not",
        Form::Options(&[
            key("include", Form::Query),
            key("exclude", Form::Query),
            plain("pre"),
            plain("post"),
            plain("dist"),
        ]),
    ),
    key("span_or", Form::Options(&[key("clauses", Form::Queries)])),
    key("span_term", Form::Fields(&Form::ScalarOr(&Form::Options(&[plain("value"), plain("term")])), COMMON)),
    key("span_within", Form::Options(&[key("little", Form::Query), key("big", Form::Query)])),
    key(
        "term",
        Form::Fields(
            &Form::ScalarOr(&Form::Options(&[plain("value"), plain("term"), plain("case_insensitive")])),
            COMMON,
        ),
    ),
    key("terms", Form::Fields(&Form::Terms, COMMON)),
    key(
        "terms_set",
        Form::Fields(
            &Form::Options(&[
                key("terms", Form::Scalars),
                plain("minimum_should_match"),
                plain("minimum_should_match_field"),
                granted("minimum_should_match_script", Form::Script, Grant::Scripts),
            ]),
            COMMON,
        ),
    ),
    key("wildcard", PATTERN),
];

/// A `terms` query's values in a document of some index.
pub(crate) const TERMS_LOOKUP: &[Key] = &[
    key("index", Form::Index),
    plain("id"),
    plain("path"),
    plain("routing"),
    plain("store"),
    key("query", Form::Query),
];

/// A document that others should be like.
pub(crate) const LIKE: &[Key] = &[
    key("_index", Form::Index),
    plain("_id"),
    plain("routing"),
    plain("_routing"),
    key("doc", Form::Data),
    key("fields", Form::Scalars),
];

const INTERVAL_FILTER: Form = Form::Keys(&[
    key("after", Form::Interval),
    key("before", Form::Interval),
    key("contained_by", Form::Interval),
    key("containing", Form::Interval),
    key("not_contained_by", Form::Interval),
    key("not_containing", Form::Interval),
    key("not_overlapping", Form::Interval),
    key("overlapping", Form::Interval),
    granted("script", Form::Script, Grant::Scripts),
]);

/// The rules of an `intervals` query.
pub(crate) const INTERVALS: &[Key] = &[
    key(
        "match",
        Form::Keys(&[
            plain("query"),
            plain("max_gaps"),
            plain("ordered"),
            plain("mode"),
            plain("analyzer"),
            plain("use_field"),
            key("filter", INTERVAL_FILTER),
        ]),
    ),
    key("prefix", Form::Keys(&[plain("prefix"), plain("analyzer"), plain("use_field")])),
    key("wildcard", Form::Keys(&[plain("pattern"), plain("analyzer"), plain("use_field")])),
    key("regexp", Form::Keys(&[plain("pattern"), plain("analyzer"), plain("use_field")])),
    key(
        "fuzzy",
        Form::Keys(&[
            plain("term"),
            plain("prefix_length"),
            plain("transpositions"),
            plain("fuzziness"),
            plain("analyzer"),
            plain("use_field"),
        ]),
    ),
    key(
        "range",
        Form::Keys(&[
            plain("gte"),
            plain("gt"),
            plain("lte"),
            plain("lt"),
            plain("analyzer"),
            plain("use_field"),
        ]),
    ),
    key(
        "all_of",
        Form::Keys(&[
            key("intervals", Form::Each(&Form::Interval)),
            plain("max_gaps"),
            plain("ordered"),
            plain("mode"),
            key("filter", INTERVAL_FILTER),
        ]),
    ),
    key(
        "any_of",
        Form::Keys(&[key("intervals", Form::Each(&Form::Interval)), key("filter", INTERVAL_FILTER)]),
    ),
    plain("boost"),
    plain("_name"),
];
